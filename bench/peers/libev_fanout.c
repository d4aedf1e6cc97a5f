// Fan-out on libev: it only says what is ready, so the receive, the sends and what is kept of them
// are ours. A line is sent to each member at once; a watcher asks for writability, and a member has
// a buffer, only while it does not read.
#include "peer_fanout.h"

#include <ev.h>
#include <unistd.h>

struct Connection {
  struct Member member;
  ev_io watcher;
  char* unsent;  // of room_unsent_bytes_max bytes, of which untouched pages cost nothing
  size_t unsent_begin;
  size_t unsent_end;
};

static struct ev_loop* loop;
static char receive_buffer[peer_receive_bytes];

static void end_connection(struct Connection* connection) {
  ev_io_stop(loop, &connection->watcher);
  room_leave(&connection->member);
  close(connection->watcher.fd);
  free(connection->unsent);
  free(connection);
}

static void wait_for(struct Connection* connection, int events) {
  ev_io_stop(loop, &connection->watcher);
  ev_io_set(&connection->watcher, connection->watcher.fd, events);
  ev_io_start(loop, &connection->watcher);
}

// Returns whether the connection lives on.
static bool flush_unsent(struct Connection* connection) {
  const ssize_t sent = send(connection->watcher.fd, connection->unsent + connection->unsent_begin,
                            connection->unsent_end - connection->unsent_begin, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN) return true;
    end_connection(connection);
    return false;
  }
  connection->unsent_begin += (size_t)sent;
  if (connection->unsent_begin < connection->unsent_end) return true;
  free(connection->unsent);
  connection->unsent = NULL;
  wait_for(connection, EV_READ);
  return true;
}

static void keep_unsent(struct Connection* connection, const char* bytes, size_t count) {
  if (connection->unsent == NULL) {
    connection->unsent = malloc(room_unsent_bytes_max);
    connection->unsent_begin = connection->unsent_end = 0;
    wait_for(connection, EV_READ | EV_WRITE);
  }
  const size_t kept = connection->unsent_end - connection->unsent_begin;
  if (connection->unsent == NULL || kept + count > room_unsent_bytes_max) {
    end_connection(connection);
    return;
  }
  if (connection->unsent_end + count > room_unsent_bytes_max) {
    memmove(connection->unsent, connection->unsent + connection->unsent_begin, kept);
    connection->unsent_begin = 0;
    connection->unsent_end = kept;
  }
  memcpy(connection->unsent + connection->unsent_end, bytes, count);
  connection->unsent_end += count;
}

static void tell(struct Member* member, const char* line, size_t bytes) {
  struct Connection* connection = (struct Connection*)member;
  ssize_t sent = 0;
  if (connection->unsent == NULL) {
    sent = send(connection->watcher.fd, line, bytes, MSG_NOSIGNAL);
    if (sent == (ssize_t)bytes) return;
    if (sent < 0 && errno != EAGAIN) {
      end_connection(connection);
      return;
    }
    if (sent < 0) sent = 0;
  }
  keep_unsent(connection, line + sent, bytes - (size_t)sent);
}

static void say(struct Member* sender, const char* line, size_t bytes) {
  room_tell(sender, line, bytes, tell);
}

static void on_ready(struct ev_loop* own_loop, ev_io* watcher, int events) {
  (void)own_loop;
  struct Connection* connection = watcher->data;
  if ((events & EV_WRITE) != 0 && connection->unsent != NULL && !flush_unsent(connection)) return;
  if ((events & EV_READ) == 0) return;
  const ssize_t received = recv(watcher->fd, receive_buffer, sizeof receive_buffer, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0 || !room_hear(&connection->member, receive_buffer, (size_t)received, say))
    end_connection(connection);
}

static void on_acceptable(struct ev_loop* own_loop, ev_io* watcher, int events) {
  (void)events;
  for (;;) {
    const int descriptor = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    struct Connection* connection = calloc(1, sizeof *connection);
    if (connection == NULL || !room_join(&connection->member)) {
      free(connection);
      close(descriptor);
      continue;
    }
    ev_io_init(&connection->watcher, on_ready, descriptor, EV_READ);
    connection->watcher.data = connection;
    ev_io_start(own_loop, &connection->watcher);
  }
}

static void on_terminate(struct ev_loop* own_loop, ev_signal* watcher, int events) {
  (void)watcher;
  (void)events;
  ev_break(own_loop, EVBREAK_ALL);
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
  loop = ev_default_loop(EVBACKEND_EPOLL);
  if (loop == NULL) {
    fputs("libev: cannot make an epoll loop\n", stderr);
    return peer_exit_unavailable;
  }
  ev_io acceptor;
  ev_io_init(&acceptor, on_acceptable, listener, EV_READ);
  ev_io_start(loop, &acceptor);
  ev_signal terminate;
  ev_signal_init(&terminate, on_terminate, SIGTERM);
  ev_signal_start(loop, &terminate);
  peer_announce(listener, "tcp");
  ev_run(loop, 0);
  return 0;
}
