// The floor: a TCP echo server on bare epoll with as few user instructions and system calls per
// message as we know how to write. Level-triggered, so that one receive per event is enough and no
// empty receive follows; one receive buffer for all connections; what was received is sent from the
// receive buffer at once; no interest changes hands unless the peer stops reading. An idle
// connection costs no user memory at all.
//
// With PEER_SLOWED it is another program: one that spends SLOWED_NS nanoseconds of CPU more on each
// message. What measures must find that out.
#include "peer.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { events_per_wait = 1024 };

// Bytes received but not yet taken by the kernel. While a connection has some it is not read from,
// so it holds at most one receive. Indexed by descriptor: untouched entries stay untouched zero
// pages.
struct Unsent {
  char* bytes;
  size_t begin;
  size_t end;
};

static int poll_set;
static int listener;
static struct Unsent* unsent_of;
static rlim_t descriptor_limit;
static char receive_buffer[peer_receive_bytes];

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static bool watch(int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  return epoll_ctl(poll_set, operation, descriptor, &event) == 0;
}

static void close_connection(int connection) {
  struct Unsent* unsent = &unsent_of[connection];
  free(unsent->bytes);
  memset(unsent, 0, sizeof *unsent);
  close(connection);
}

static void accept_all(void) {
  for (;;) {
    const int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) {
      // Under exhaustion the listener stays readable and this spins: a floor for measurements, not
      // a server to run.
      return;
    }
    if ((rlim_t)connection >= descriptor_limit || !watch(EPOLL_CTL_ADD, connection, EPOLLIN))
      close(connection);
  }
}

// The kernel took `sent` of `received` bytes: keep the rest and stop reading until it is gone.
static void keep_unsent(int connection, ssize_t sent, ssize_t received) {
  if (sent < 0) {
    if (errno != EAGAIN) {
      close_connection(connection);
      return;
    }
    sent = 0;
  }
  struct Unsent* unsent = &unsent_of[connection];
  unsent->begin = 0;
  unsent->end = (size_t)(received - sent);
  unsent->bytes = malloc(unsent->end);
  if (unsent->bytes == NULL || !watch(EPOLL_CTL_MOD, connection, EPOLLOUT)) {
    close_connection(connection);
    return;
  }
  memcpy(unsent->bytes, receive_buffer + sent, unsent->end);
}

static void flush_unsent(int connection) {
  struct Unsent* unsent = &unsent_of[connection];
  const ssize_t sent =
      send(connection, unsent->bytes + unsent->begin, unsent->end - unsent->begin, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) close_connection(connection);
    return;
  }
  unsent->begin += (size_t)sent;
  if (unsent->begin < unsent->end) return;
  free(unsent->bytes);
  memset(unsent, 0, sizeof *unsent);
  if (!watch(EPOLL_CTL_MOD, connection, EPOLLIN)) close_connection(connection);
}

#ifdef PEER_SLOWED
static long slowed_ns;

static long now_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void read_slowness(void) {
  const char* text = getenv("SLOWED_NS");
  slowed_ns = text == NULL ? 0 : atol(text);
}

static void be_slow(void) {
  for (const long end = now_ns() + slowed_ns; now_ns() < end;) continue;
}
#else
static void read_slowness(void) {}
static void be_slow(void) {}
#endif

// The way of every message: one receive, one send.
static inline void echo(int connection) {
  const ssize_t received = recv(connection, receive_buffer, sizeof receive_buffer, 0);
  if (__builtin_expect(received > 0, 1)) {
    be_slow();
    const ssize_t sent = send(connection, receive_buffer, (size_t)received, MSG_NOSIGNAL);
    if (__builtin_expect(sent != received, 0)) keep_unsent(connection, sent, received);
  } else if (received == 0 || errno != EAGAIN) {
    close_connection(connection);
  }
}

static void serve_rare(int descriptor) {
  if (descriptor == listener) {
    accept_all();
  } else if (unsent_of[descriptor].bytes != NULL) {
    flush_unsent(descriptor);
  } else {
    echo(descriptor);  // An error or a hang-up shows itself as the receive's result.
  }
}

int main(int argument_count, char** arguments) {
  listener = peer_listen(peer_port(argument_count, arguments));
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) peer_fail("RLIMIT_NOFILE");
  descriptor_limit = limit.rlim_cur;
  unsent_of = calloc(descriptor_limit, sizeof *unsent_of);
  if (unsent_of == NULL) peer_fail("table of connections");
  poll_set = epoll_create1(EPOLL_CLOEXEC);
  if (poll_set < 0) peer_fail("epoll_create1");
  if (!watch(EPOLL_CTL_ADD, listener, EPOLLIN)) peer_fail("epoll_ctl");
  read_slowness();
  signal(SIGTERM, on_terminate);
  peer_announce(listener, "tcp");

  static struct epoll_event events[events_per_wait];
  for (;;) {
    const int count = epoll_wait(poll_set, events, events_per_wait, -1);
    for (int index = 0; index < count; ++index) {
      const int descriptor = events[index].data.fd;
      if (__builtin_expect(events[index].events == EPOLLIN && descriptor != listener, 1)) {
        echo(descriptor);
      } else {
        serve_rare(descriptor);
      }
    }
  }
}
