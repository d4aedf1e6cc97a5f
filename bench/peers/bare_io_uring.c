// The floor for kernels that finish I/O themselves: a TCP echo server on bare io_uring, with as few
// user instructions and system calls per message as we know how to write. One multishot accept, one
// multishot receive a connection out of buffers that all of them share, a send straight from the
// buffer that was received into; one enter a turn hands over all sends and waits. The ring belongs
// to this thread (SINGLE_ISSUER), which does the kernel's work inside the enter (DEFER_TASKRUN).
//
// A send keeps its buffer until the kernel is done with it. What comes for the connection meanwhile
// is copied, and its receive cancelled until all of that is sent, so a peer that does not read is
// held back. Peers that do not read keep one shared buffer each: a floor for measurements, not a
// server to run.
#include "peer.h"

#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
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

// What came while a send was unfinished, in order. The first is being sent when that has ended.
struct Held {
  struct Held* next;
  size_t bytes;
  char memory[];
};

struct Connection {
  struct Held* held;
  bool is_receiving;
  bool is_cancelling;
  bool is_sending;
  bool has_ended;
  bool has_failed;
};

static struct io_uring ring;
static struct io_uring_buf_ring* buffer_ring;
static char* buffer_memory;
static struct Connection* connections;  // by descriptor: untouched entries stay untouched pages
static rlim_t descriptor_limit;
static int listener;

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

// What a result says of itself: descriptor, operation, and of a send its buffer and length.
static inline uint64_t mark_of(int descriptor, enum Operation operation, unsigned buffer,
                               size_t bytes) {
  return (uint64_t)bytes << 44U | (uint64_t)buffer << 36U | (uint64_t)operation << 32U |
         (uint32_t)descriptor;
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

static void accept_all(void) {
  struct io_uring_sqe* sqe = entry(mark_of(listener, accepts, 0, 0));
  io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
}

static void receive(int descriptor) {
  struct io_uring_sqe* sqe = entry(mark_of(descriptor, receives, 0, 0));
  io_uring_prep_recv_multishot(sqe, descriptor, NULL, 0, 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = buffer_group;
  connections[descriptor].is_receiving = true;
  connections[descriptor].is_cancelling = false;
}

// To the end, however much the kernel takes at a time.
static inline void send_bytes(int descriptor, unsigned buffer, const char* memory, size_t bytes) {
  struct io_uring_sqe* sqe = entry(mark_of(descriptor, sends, buffer, bytes));
  io_uring_prep_send(sqe, descriptor, memory, bytes, MSG_NOSIGNAL | MSG_WAITALL);
  connections[descriptor].is_sending = true;
}

static char* buffer_at(unsigned buffer) { return buffer_memory + (size_t)buffer * buffer_stride; }

static inline void give_back(unsigned buffer) {
  io_uring_buf_ring_add(buffer_ring, buffer_at(buffer), buffer_bytes, (unsigned short)buffer,
                        io_uring_buf_ring_mask(buffers), 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
}

static void drop_first(struct Connection* connection) {
  struct Held* first = connection->held;
  connection->held = first->next;
  free(first);
}

// The descriptor may be closed once no entry names it.
static void close_when_idle(int descriptor) {
  struct Connection* connection = &connections[descriptor];
  if (connection->is_receiving || connection->is_sending) return;
  while (connection->held != NULL) drop_first(connection);
  memset(connection, 0, sizeof *connection);
  close(descriptor);
}

static void fail(int descriptor) {
  connections[descriptor].has_failed = true;
  (void)shutdown(descriptor, SHUT_RDWR);  // ends the receive
  close_when_idle(descriptor);
}

static void hold(int descriptor, const char* bytes, size_t count) {
  struct Held* held = malloc(sizeof *held + count);
  if (held == NULL) peer_fail("held bytes");
  held->next = NULL;
  held->bytes = count;
  memcpy(held->memory, bytes, count);
  struct Held** last = &connections[descriptor].held;
  while (*last != NULL) last = &(*last)->next;
  *last = held;
  if (connections[descriptor].is_cancelling) return;
  connections[descriptor].is_cancelling = true;
  const uint64_t receiving = mark_of(descriptor, receives, 0, 0);
  io_uring_prep_cancel64(entry(mark_of(descriptor, cancels, 0, 0)), receiving, 0);
}

// The connection's sends have all ended: what was held goes next, then it may receive again.
static void go_on(int descriptor) {
  struct Connection* connection = &connections[descriptor];
  if (connection->has_failed) {
    fail(descriptor);
  } else if (connection->held != NULL) {
    send_bytes(descriptor, no_buffer, connection->held->memory, connection->held->bytes);
  } else if (connection->has_ended) {
    close_when_idle(descriptor);
  } else if (!connection->is_receiving) {
    receive(descriptor);
  }
}

// Under exhaustion this is tried again at once and spins.
static void accepted(const struct io_uring_cqe* cqe) {
  if ((cqe->flags & IORING_CQE_F_MORE) == 0) accept_all();
  if (cqe->res < 0) return;
  if ((rlim_t)cqe->res < descriptor_limit) {
    receive(cqe->res);
  } else {
    close(cqe->res);
  }
}

// At the end of the stream, by an error, for want of buffers, or cancelled.
static void receive_ended(int descriptor, int result) {
  struct Connection* connection = &connections[descriptor];
  connection->is_receiving = false;
  if (result == 0) connection->has_ended = true;
  if (result < 0 && result != -ENOBUFS && result != -ECANCELED) connection->has_failed = true;
  if (!connection->is_sending) go_on(descriptor);
}

// The way of every message: what was received is sent from where it lies.
static inline void received(int descriptor, const struct io_uring_cqe* cqe) {
  const struct Connection* connection = &connections[descriptor];
  if (__builtin_expect(cqe->res > 0, 1)) {
    const unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    char* bytes = buffer_at(buffer);
    if (__builtin_expect(!connection->is_sending && connection->held == NULL, 1)) {
      send_bytes(descriptor, buffer, bytes, (size_t)cqe->res);
    } else {
      hold(descriptor, bytes, (size_t)cqe->res);
      give_back(buffer);
    }
  }
  if (__builtin_expect((cqe->flags & IORING_CQE_F_MORE) == 0, 0)) {
    receive_ended(descriptor, cqe->res);
  }
}

static inline void sent(int descriptor, const struct io_uring_cqe* cqe) {
  struct Connection* connection = &connections[descriptor];
  const unsigned buffer = (unsigned)(cqe->user_data >> 36U) & 0xFFU;
  const uint64_t expected = cqe->user_data >> 44U;
  connection->is_sending = false;
  if (__builtin_expect(buffer == no_buffer, 0)) {
    drop_first(connection);
  } else {
    give_back(buffer);
  }
  if (__builtin_expect(cqe->res < 0 || (uint64_t)cqe->res != expected, 0))
    connection->has_failed = true;
  if (__builtin_expect(
          connection->has_failed || connection->held != NULL || !connection->is_receiving, 0))
    go_on(descriptor);
}

static void serve(const struct io_uring_cqe* cqe) {
  const int descriptor = (int)(uint32_t)cqe->user_data;
  switch ((enum Operation)(cqe->user_data >> 32U & 0xFU)) {
    case receives:
      received(descriptor, cqe);
      break;
    case sends:
      sent(descriptor, cqe);
      break;
    case accepts:
      accepted(cqe);
      break;
    case cancels:  // its effect is the end of the receive
      break;
  }
}

static void make_ring(void) {
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

static void make_buffers(void) {
  buffer_memory = aligned_alloc(4096, (size_t)buffers * buffer_stride);
  buffer_ring = aligned_alloc(4096, buffers * sizeof(struct io_uring_buf));
  if (buffer_memory == NULL || buffer_ring == NULL) peer_fail("receive buffers");
  io_uring_buf_ring_init(buffer_ring);
  for (unsigned buffer = 0; buffer < buffers; ++buffer) give_back(buffer);
}

int main(int argument_count, char** arguments) {
  listener = peer_listen(peer_port(argument_count, arguments));
  // The ring waits by itself: a socket that does not block is one that it must not wait for.
  if (fcntl(listener, F_SETFL, 0) != 0) peer_fail("F_SETFL");
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) peer_fail("RLIMIT_NOFILE");
  descriptor_limit = limit.rlim_cur;
  connections = calloc(descriptor_limit, sizeof *connections);
  if (connections == NULL) peer_fail("table of connections");
  make_buffers();
  make_ring();
  accept_all();
  signal(SIGTERM, on_terminate);
  peer_announce(listener, "tcp");

  for (;;) {
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
}
