// Fan-out on bare io_uring. What a member says in a turn is copied once and sent to everybody from
// there: one entry for each of them, handed over by the one enter of the turn, so that lines which
// came together go together. What several members said goes as a chain of sends, for the end of a
// line must not come behind the next line; what is said while a chain is under way waits for it. A
// member that is too far behind is ended, which bounds what waits.
#include "peer_fanout.h"
#include "peer_ring.h"

#include <signal.h>

enum {
  chain_max = 64,
  spoken_max = buffers * buffer_bytes / 2  // what a mark can tell
};

// What one member said in one turn, whole lines; of all that was said the next is `next`. Held by
// the one before it, by each member that was told it last, and, the last, by `last_said`.
struct Said {
  struct Said* next;
  const struct Member* sender;
  unsigned holders;
  uint64_t end;  // of all that was said until here, in bytes of memory
  size_t bytes;
  char lines[];
};

struct Connection {
  struct Member member;
  struct Said* told;  // the last that was sent; NULL of who is not there
  unsigned sending;
  bool is_receiving;
  bool has_failed;
};

static struct Connection* connections;  // by descriptor
static rlim_t descriptor_limit;
static int listener;
static struct Said* last_said;
static const struct Member* speaker;
static char spoken[spoken_max];
static size_t spoken_bytes;

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static void release(struct Said* said) {
  while (said != NULL && --said->holders == 0) {
    struct Said* next = said->next;
    free(said);
    said = next;
  }
}

static void append_said(void) {
  struct Said* said = malloc(sizeof *said + spoken_bytes);
  if (said == NULL) peer_fail("lines");
  said->next = NULL;
  said->sender = speaker;
  said->holders = 1;
  said->end = sizeof *said + spoken_bytes;
  said->bytes = spoken_bytes;
  memcpy(said->lines, spoken, spoken_bytes);
  spoken_bytes = 0;
  struct Said* before = last_said;
  last_said = said;
  if (before == NULL) return;
  said->end += before->end;
  ++said->holders;
  before->next = said;
  release(before);
}

static void has_heard(struct Connection* connection, struct Said* said) {
  ++said->holders;
  release(connection->told);
  connection->told = said;
}

static void pass_own(struct Connection* connection) {
  for (struct Said* next = connection->told->next;
       next != NULL && next->sender == &connection->member; next = next->next)
    has_heard(connection, next);
}

static void tell_next(struct Connection* connection) {
  pass_own(connection);
  // An enter would cut the chain.
  if (io_uring_sq_space_left(&ring) < chain_max) io_uring_submit(&ring);
  struct io_uring_sqe* before = NULL;
  for (const struct Said* said = connection->told->next;
       said != NULL && connection->sending < chain_max; said = said->next) {
    if (said->sender == &connection->member) continue;
    if (before != NULL) before->flags |= IOSQE_IO_LINK;
    before = start_send((int)(connection - connections), no_buffer, said->lines, said->bytes);
    ++connection->sending;
  }
}

// The descriptor may be closed once no entry names it.
static void close_when_idle(struct Connection* connection) {
  if (connection->is_receiving || connection->sending > 0) return;
  release(connection->told);
  memset(connection, 0, sizeof *connection);
  close((int)(connection - connections));
}

static void fail(struct Connection* connection) {
  if (!connection->has_failed) {
    connection->has_failed = true;
    room_leave(&connection->member);
    (void)shutdown((int)(connection - connections), SHUT_RDWR);  // ends what is under way
  }
  close_when_idle(connection);
}

static void say(struct Member* sender, const char* line, size_t bytes) {
  if (spoken_bytes > 0 && (speaker != sender || spoken_bytes + bytes > sizeof spoken))
    append_said();
  speaker = sender;
  memcpy(spoken + spoken_bytes, line, bytes);
  spoken_bytes += bytes;
}

static void tell_all(void) {
  append_said();
  for (size_t place = room_size; place-- > 0;) {
    struct Connection* connection = (struct Connection*)room[place];
    if (connection->sending == 0) {
      tell_next(connection);
    } else if (last_said->end - connection->told->end > room_unsent_bytes_max) {
      fail(connection);
    }
  }
}

// Under exhaustion this is tried again at once and spins.
static void accepted(const struct io_uring_cqe* cqe) {
  if ((cqe->flags & IORING_CQE_F_MORE) == 0) start_accept(listener);
  if (cqe->res < 0) return;
  if ((rlim_t)cqe->res >= descriptor_limit || !room_join(&connections[cqe->res].member)) {
    close(cqe->res);
    return;
  }
  struct Connection* connection = &connections[cqe->res];
  connection->told = last_said;
  ++last_said->holders;
  connection->is_receiving = true;
  start_receive(cqe->res);
}

static void received(struct Connection* connection, const struct io_uring_cqe* cqe) {
  bool is_well = cqe->res > 0 || cqe->res == -ENOBUFS;
  if (cqe->res > 0) {
    const unsigned buffer = received_buffer(cqe);
    if (!connection->has_failed)
      is_well = room_hear(&connection->member, buffer_at(buffer), (size_t)cqe->res, say);
    give_back(buffer);
  }
  const bool has_ended = (cqe->flags & IORING_CQE_F_MORE) == 0;
  if (has_ended) connection->is_receiving = false;
  if (!is_well || connection->has_failed) {
    fail(connection);
  } else if (has_ended) {
    connection->is_receiving = true;
    start_receive((int)(connection - connections));
  }
}

static void sent(struct Connection* connection, const struct io_uring_cqe* cqe) {
  --connection->sending;
  if (cqe->res < 0 || (uint64_t)cqe->res != marked_bytes(cqe) || connection->has_failed) {
    fail(connection);
    return;
  }
  pass_own(connection);
  has_heard(connection, connection->told->next);
  if (connection->sending == 0) tell_next(connection);
}

static void serve(const struct io_uring_cqe* cqe) {
  struct Connection* connection = &connections[marked_descriptor(cqe)];
  switch (marked_operation(cqe)) {
    case receives:
      received(connection, cqe);
      break;
    case sends:
      sent(connection, cqe);
      break;
    case accepts:
      accepted(cqe);
      break;
    case cancels:  // nothing is
      break;
  }
}

int main(int argument_count, char** arguments) {
  listener = listen_for_ring(peer_port(argument_count, arguments));
  connections = make_table(sizeof *connections, &descriptor_limit);
  append_said();  // an empty one, after which all come that anybody hears
  make_ring();
  start_accept(listener);
  signal(SIGTERM, on_terminate);
  peer_announce(listener, "tcp");
  for (;;) {
    one_turn(serve);
    if (spoken_bytes > 0) tell_all();
  }
}
