// The floor of a fan-out: one thread, bare epoll, and a send call for each line and each receiver
// in a loop. No names, no rooms, no queues: who does not read loses lines, and whatever comes in
// one receive is taken for whole lines. A floor for measurements, not a server to run.
#include "peer.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { events_per_wait = 1024, clients_max = 65536 };

static int poll_set;
static int clients[clients_max];
static size_t client_count;
static char receive_buffer[peer_receive_bytes];

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static bool watch(int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  return epoll_ctl(poll_set, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static void accept_all(int listener) {
  for (;;) {
    const int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    if (client_count == clients_max || !watch(client)) {
      close(client);
      continue;
    }
    clients[client_count++] = client;
  }
}

static void forget(int client) {
  for (size_t i = 0; i < client_count; ++i) {
    if (clients[i] == client) clients[i] = clients[--client_count];
  }
  close(client);
}

static void fan_out(int sender, const char* line, size_t bytes) {
  for (size_t i = 0; i < client_count; ++i) {
    if (clients[i] != sender) (void)send(clients[i], line, bytes, MSG_NOSIGNAL);
  }
}

static void serve(int sender) {
  const ssize_t received = recv(sender, receive_buffer, sizeof receive_buffer, 0);
  if (received <= 0) {
    forget(sender);
    return;
  }
  const char* end = receive_buffer + received;
  for (const char* line = receive_buffer; line < end;) {
    const char* next = memchr(line, '\n', (size_t)(end - line));
    next = next == NULL ? end : next + 1;
    fan_out(sender, line, (size_t)(next - line));
    line = next;
  }
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
  poll_set = epoll_create1(EPOLL_CLOEXEC);
  if (poll_set < 0 || !watch(listener)) peer_fail("epoll");
  signal(SIGTERM, on_terminate);
  peer_announce(listener, "tcp");
  struct epoll_event events[events_per_wait];
  for (;;) {
    const int count = epoll_wait(poll_set, events, events_per_wait, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        accept_all(listener);
      } else {
        serve(events[i].data.fd);
      }
    }
  }
}
