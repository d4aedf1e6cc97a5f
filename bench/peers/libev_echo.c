// Echo on libev: it only says what is ready, so the receive and the send are ours, as in the bare
// epoll floor. One receive buffer for all connections; a watcher asks for writability only while
// the peer does not read. Built twice: libev_tls puts OpenSSL between.
#include "peer_session.h"

#include <ev.h>
#include <stddef.h>
#include <unistd.h>

// The watcher comes first: a pointer to one is a pointer to the other.
struct Connection {
  ev_io watcher;
  char* unsent;
  size_t unsent_begin;
  size_t unsent_end;
  struct Session session;
};

static char receive_buffer[peer_receive_bytes];

static void close_connection(struct ev_loop* loop, struct Connection* connection) {
  ev_io_stop(loop, &connection->watcher);
  close(connection->watcher.fd);
  session_close(&connection->session);
  free(connection->unsent);
  free(connection);
}

static void wait_for(struct ev_loop* loop, struct Connection* connection, int events) {
  ev_io_stop(loop, &connection->watcher);
  ev_io_set(&connection->watcher, connection->watcher.fd, events);
  ev_io_start(loop, &connection->watcher);
}

static void flush_unsent(struct ev_loop* loop, struct Connection* connection) {
  const ssize_t sent = send(connection->watcher.fd, connection->unsent + connection->unsent_begin,
                            connection->unsent_end - connection->unsent_begin, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) close_connection(loop, connection);
    return;
  }
  connection->unsent_begin += (size_t)sent;
  if (connection->unsent_begin < connection->unsent_end) return;
  free(connection->unsent);
  connection->unsent = NULL;
  if (session_has_ended(&connection->session)) {
    close_connection(loop, connection);
  } else {
    wait_for(loop, connection, EV_READ);
  }
}

// Returns whether the connection lives on.
static bool keep_unsent(struct ev_loop* loop, struct Connection* connection, ssize_t sent,
                        struct Answer answer) {
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent < 0) sent = 0;
  connection->unsent_begin = 0;
  connection->unsent_end = answer.count - (size_t)sent;
  connection->unsent = malloc(connection->unsent_end);
  if (connection->unsent == NULL) return false;
  memcpy(connection->unsent, answer.bytes + sent, connection->unsent_end);
  wait_for(loop, connection, EV_WRITE);
  return true;
}

// Returns whether the connection lives on.
static inline bool send_answer(struct ev_loop* loop, struct Connection* connection,
                               struct Answer answer) {
  if (answer.count > 0) {
    const ssize_t sent = send(connection->watcher.fd, answer.bytes, answer.count, MSG_NOSIGNAL);
    if (sent != (ssize_t)answer.count) return keep_unsent(loop, connection, sent, answer);
  }
  return !session_has_ended(&connection->session);
}

static void on_ready(struct ev_loop* loop, ev_io* watcher, int events) {
  struct Connection* connection = (struct Connection*)watcher;
  if (events & EV_WRITE && connection->unsent != NULL) {
    flush_unsent(loop, connection);
    return;
  }
  const ssize_t received = recv(watcher->fd, receive_buffer, sizeof receive_buffer, 0);
  if (received > 0) {
    const struct Answer answer =
        session_answer(&connection->session, receive_buffer, (size_t)received);
    if (!send_answer(loop, connection, answer)) close_connection(loop, connection);
  } else if (received == 0 || errno != EAGAIN) {
    close_connection(loop, connection);
  }
}

static void on_acceptable(struct ev_loop* loop, ev_io* watcher, int events) {
  (void)events;
  for (;;) {
    const int descriptor = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    struct Connection* connection = calloc(1, sizeof *connection);
    if (connection == NULL || !session_open(&connection->session)) {
      free(connection);
      close(descriptor);
      return;
    }
    ev_io_init(&connection->watcher, on_ready, descriptor, EV_READ);
    ev_io_start(loop, &connection->watcher);
  }
}

static void on_terminate(struct ev_loop* loop, ev_signal* watcher, int events) {
  (void)watcher;
  (void)events;
  ev_break(loop, EVBREAK_ALL);
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_prepare(argument_count, arguments));
  struct ev_loop* loop = ev_default_loop(EVBACKEND_EPOLL);
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
  peer_announce(listener, peer_scheme);
  ev_run(loop, 0);
  return 0;
}
