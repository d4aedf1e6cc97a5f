// What the peers on bare io_uring share: one ring that belongs to this thread (SINGLE_ISSUER) and
// does the kernel's work inside the enter (DEFER_TASKRUN); one multishot accept; a multishot
// receive for each connection, out of buffers that all of them share; and a mark by which each
// result says what it is of. Needs Linux 6.1.
#pragma once

#include "peer.h"

#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <unistd.h>

enum {
  submissions = 4096,
  results = 16384,
  // More than the kernel hands out in one enter, and those still being sent.
  buffers = 64,
  buffer_bytes = 16 * 1024,
  // An odd number of cache lines: the first lines of all buffers, which small messages need alone,
  // must not contend for the same places of the cache. 64 of them are whole pages.
  buffer_stride = buffer_bytes + 64,
  buffer_group = 0,
  no_buffer = buffers  // the bytes are of the connection's own
};

enum Operation { accepts, receives, sends, cancels };

static struct io_uring ring;
static struct io_uring_buf_ring* buffer_ring;
static char* buffer_memory;

// What a result says of itself: descriptor, operation, and of a send its buffer and length.
static inline uint64_t mark_of(int descriptor, enum Operation operation, unsigned buffer,
                               size_t bytes) {
  return (uint64_t)bytes << 44U | (uint64_t)buffer << 36U | (uint64_t)operation << 32U |
         (uint32_t)descriptor;
}

static inline int marked_descriptor(const struct io_uring_cqe* cqe) {
  return (int)(uint32_t)cqe->user_data;
}

static inline enum Operation marked_operation(const struct io_uring_cqe* cqe) {
  return (enum Operation)(cqe->user_data >> 32U & 0xFU);
}

static inline unsigned marked_buffer(const struct io_uring_cqe* cqe) {
  return (unsigned)(cqe->user_data >> 36U) & 0xFFU;
}

static inline uint64_t marked_bytes(const struct io_uring_cqe* cqe) {
  return cqe->user_data >> 44U;
}

// The preparing functions of liburing leave the mark alone.
static inline struct io_uring_sqe* entry(uint64_t mark) {
  struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  if (__builtin_expect(sqe == NULL, 0)) {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL) peer_fail("io_uring_get_sqe");
  }
  sqe->user_data = mark;
  return sqe;
}

static inline void start_accept(int listener) {
  struct io_uring_sqe* sqe = entry(mark_of(listener, accepts, 0, 0));
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
}

static inline void start_receive(int descriptor) {
  struct io_uring_sqe* sqe = entry(mark_of(descriptor, receives, 0, 0));
  io_uring_prep_recv_multishot(sqe, descriptor, NULL, 0, 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffer_group;
}

// To the end, however much the kernel takes at a time.
static inline struct io_uring_sqe* start_send(int descriptor, unsigned buffer, const char* memory,
                                              size_t bytes) {
  struct io_uring_sqe* sqe = entry(mark_of(descriptor, sends, buffer, bytes));
  io_uring_prep_send(sqe, descriptor, memory, bytes, MSG_NOSIGNAL | MSG_WAITALL);
  return sqe;
}

static inline char* buffer_at(unsigned buffer) {
  return buffer_memory + (size_t)buffer * buffer_stride;
}

static inline unsigned received_buffer(const struct io_uring_cqe* cqe) {
  return cqe->flags >> IORING_CQE_BUFFER_SHIFT;
}

static inline void give_back(unsigned buffer) {
  io_uring_buf_ring_add(buffer_ring, buffer_at(buffer), buffer_bytes, (unsigned short)buffer,
                        io_uring_buf_ring_mask(buffers), 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
}

static inline void make_buffers(void) {
  buffer_memory = aligned_alloc(4096, (size_t)buffers * buffer_stride);
  // A whole page, for less cannot be aligned to one in C11: the entries take a quarter of it.
  buffer_ring = aligned_alloc(4096, 4096);
  if (buffer_memory == NULL || buffer_ring == NULL) peer_fail("receive buffers");
  io_uring_buf_ring_init(buffer_ring);
  for (unsigned buffer = 0; buffer < buffers; ++buffer) give_back(buffer);
}

static inline void make_ring(void) {
  make_buffers();
  struct io_uring_params parameters;
  memset(&parameters, 0, sizeof parameters);
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  parameters.cq_entries = results;
  int result = io_uring_queue_init_params(submissions, &ring, &parameters);
  if (result == 0) {
    struct io_uring_buf_reg registration;
    memset(&registration, 0, sizeof registration);
    registration.ring_addr = (uintptr_t)buffer_ring;
    registration.ring_entries = buffers;
    registration.bgid = buffer_group;
    result = io_uring_register_buf_ring(&ring, &registration, 0);
  }
  if (result != 0) {
    errno = -result;
    peer_fail("io_uring (needs Linux 6.1)");
  }
}

// One entry for each descriptor that there may be, all zero: untouched ones stay untouched pages.
static inline void* make_table(size_t entry_bytes, rlim_t* descriptor_limit) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) peer_fail("RLIMIT_NOFILE");
  *descriptor_limit = limit.rlim_cur;
  void* table = calloc(limit.rlim_cur, entry_bytes);
  if (table == NULL) peer_fail("table of connections");
  return table;
}

// The ring waits by itself: a socket that does not block is one that it must not wait for.
static inline int listen_for_ring(uint16_t port) {
  const int listener = peer_listen(port);
  if (fcntl(listener, F_SETFL, 0) != 0) peer_fail("F_SETFL");
  return listener;
}

// One enter hands over all that was prepared, and waits.
static inline void one_turn(void (*serve)(const struct io_uring_cqe* cqe)) {
  io_uring_submit_and_wait(&ring, 1);
  struct io_uring_cqe* cqe;
  unsigned head;
  unsigned count = 0;
  io_uring_for_each_cqe(&ring, head, cqe) {
    serve(cqe);
    ++count;
  }
  io_uring_cq_advance(&ring, count);
}
