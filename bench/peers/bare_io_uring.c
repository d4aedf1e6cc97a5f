// The floor for kernels that finish I/O themselves: a TCP echo server on bare io_uring, with as few
// user instructions and system calls per message as we know how to write. A send goes straight from
// the buffer that was received into, and one enter a turn hands over all sends and waits. The rest
// is in peer_ring.h.
//
// A send keeps its buffer until the kernel is done with it. What comes for the connection meanwhile
// is copied, and its receive cancelled until all of that is sent, so a peer that does not read is
// held back. Peers that do not read keep one shared buffer each: a floor for measurements, not a
// server to run.
//
// Built twice: bare_io_uring_tls puts OpenSSL between. What that makes of a receive is never where
// the kernel could leave it until it is sent, so it is always held.
#include "peer_ring.h"
#include "peer_session.h"

#include <signal.h>

// What is to be sent of what came while a send was unfinished, in order. The first is being sent
// when that has ended.
struct Held {
  struct Held* next;
  size_t bytes;
  char memory[];
};

struct Connection {
  struct Held* held;
  struct Session session;
  bool is_receiving;
  bool is_cancelling;
  bool is_sending;
  bool has_ended;
  bool has_failed;
};

static struct Connection* connections;  // by descriptor
static rlim_t descriptor_limit;
static int listener;

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static void receive(int descriptor) {
  start_receive(descriptor);
  connections[descriptor].is_receiving = true;
  connections[descriptor].is_cancelling = false;
}

static inline void send_bytes(int descriptor, unsigned buffer, const char* memory, size_t bytes) {
  start_send(descriptor, buffer, memory, bytes);
  connections[descriptor].is_sending = true;
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
  session_close(&connection->session);
  memset(connection, 0, sizeof *connection);
  close(descriptor);
}

static void fail(int descriptor) {
  connections[descriptor].has_failed = true;
  (void)shutdown(descriptor, SHUT_RDWR);  // ends the receive
  close_when_idle(descriptor);
}

// The receive ends before long: there are no others of this mark.
static void stop_receiving(int descriptor) {
  if (connections[descriptor].is_cancelling) return;
  connections[descriptor].is_cancelling = true;
  const uint64_t receiving = mark_of(descriptor, receives, 0, 0);
  io_uring_prep_cancel64(entry(mark_of(descriptor, cancels, 0, 0)), receiving, 0);
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
  if ((cqe->flags & IORING_CQE_F_MORE) == 0) start_accept(listener);
  if (cqe->res < 0) return;
  if ((rlim_t)cqe->res < descriptor_limit && session_open(&connections[cqe->res].session)) {
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

// What cannot be sent from where it was received. It goes at once where nothing is being sent.
// Apart, because it costs the way of every message three instructions when it is part of that.
__attribute__((noinline)) static void answer_later(int descriptor, struct Answer answer) {
  struct Connection* connection = &connections[descriptor];
  if (answer.count > 0) hold(descriptor, answer.bytes, answer.count);
  if (session_has_ended(&connection->session)) connection->has_ended = true;
  if (connection->has_ended || connection->is_sending) stop_receiving(descriptor);
  if (answer.count > 0 && !connection->is_sending) go_on(descriptor);
}

// The way of every message: what was received is sent from where it lies.
static inline void received(int descriptor, const struct io_uring_cqe* cqe) {
  struct Connection* connection = &connections[descriptor];
  if (__builtin_expect(cqe->res > 0, 1)) {
    const unsigned buffer = received_buffer(cqe);
    char* bytes = buffer_at(buffer);
    const struct Answer answer = session_answer(&connection->session, bytes, (size_t)cqe->res);
    const bool is_in_place = answer.bytes == bytes;
    if (__builtin_expect(is_in_place && !connection->is_sending && connection->held == NULL, 1)) {
      send_bytes(descriptor, buffer, bytes, answer.count);
    } else {
      answer_later(descriptor, answer);
      give_back(buffer);
    }
  }
  if (__builtin_expect((cqe->flags & IORING_CQE_F_MORE) == 0, 0)) {
    receive_ended(descriptor, cqe->res);
  }
}

static inline void sent(int descriptor, const struct io_uring_cqe* cqe) {
  struct Connection* connection = &connections[descriptor];
  const unsigned buffer = marked_buffer(cqe);
  const uint64_t expected = marked_bytes(cqe);
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
  const int descriptor = marked_descriptor(cqe);
  switch (marked_operation(cqe)) {
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

int main(int argument_count, char** arguments) {
  listener = listen_for_ring(peer_prepare(argument_count, arguments));
  connections = make_table(sizeof *connections, &descriptor_limit);
  make_ring();
  start_accept(listener);
  signal(SIGTERM, on_terminate);
  peer_announce(listener, peer_scheme);
  for (;;) one_turn(serve);
}
