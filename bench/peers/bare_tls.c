// The floor for TLS: OpenSSL on bare epoll with as little around it as we know how to write.
// OpenSSL's side is in peer_tls_echo.h, and what it does with a receive is one send.
#include "peer_tls_echo.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { events_per_wait = 1024 };

struct Connection {
  SSL* ssl;
  int descriptor;
  // Ciphertext the kernel has not taken. While there is some the connection is not read from.
  char* unsent;
  size_t begin;
  size_t end;
};

static int poll_set;
static int listener;
static char input[peer_receive_bytes];

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static bool watch(int operation, struct Connection* connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  return epoll_ctl(poll_set, operation, connection->descriptor, &event) == 0;
}

static void close_connection(struct Connection* connection) {
  SSL_free(connection->ssl);
  close(connection->descriptor);
  free(connection->unsent);
  free(connection);
}

static void open_connection(int descriptor) {
  struct Connection* connection = calloc(1, sizeof *connection);
  if (connection == NULL) peer_fail("connection");
  connection->descriptor = descriptor;
  connection->ssl = tls_echo_open();
  if (connection->ssl == NULL) peer_tls_fail("SSL_new");
  if (!watch(EPOLL_CTL_ADD, connection, EPOLLIN)) close_connection(connection);
}

static void accept_all(void) {
  for (;;) {
    const int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    open_connection(descriptor);
  }
}

// Returns whether the connection lives on.
static bool send_output(struct Connection* connection) {
  if (tls_output_end == 0) return true;
  ssize_t sent = send(connection->descriptor, tls_output, tls_output_end, MSG_NOSIGNAL);
  if (sent == (ssize_t)tls_output_end) return true;
  if (sent < 0) {
    if (errno != EAGAIN) return false;
    sent = 0;
  }
  connection->begin = 0;
  connection->end = tls_output_end - (size_t)sent;
  connection->unsent = malloc(connection->end);
  if (connection->unsent == NULL) return false;
  memcpy(connection->unsent, tls_output + sent, connection->end);
  return watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
}

static void serve(struct Connection* connection) {
  const ssize_t received = recv(connection->descriptor, input, sizeof input, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0) {
    close_connection(connection);
    return;
  }
  const bool lives = tls_echo(connection->ssl, input, (size_t)received);
  if (!send_output(connection) || !lives) close_connection(connection);
}

static void flush_unsent(struct Connection* connection) {
  const ssize_t sent = send(connection->descriptor, connection->unsent + connection->begin,
                            connection->end - connection->begin, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) close_connection(connection);
    return;
  }
  connection->begin += (size_t)sent;
  if (connection->begin < connection->end) return;
  free(connection->unsent);
  connection->unsent = NULL;
  if (!watch(EPOLL_CTL_MOD, connection, EPOLLIN)) close_connection(connection);
}

int main(int argument_count, char** arguments) {
  const struct PeerTls tls = peer_tls_arguments(argument_count, arguments);
  tls_echo_prepare(&tls);
  listener = peer_listen(tls.port);
  poll_set = epoll_create1(EPOLL_CLOEXEC);
  if (poll_set < 0) peer_fail("epoll_create1");
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, &event) != 0) peer_fail("epoll_ctl");
  signal(SIGTERM, on_terminate);
  peer_announce(listener, "tls");

  static struct epoll_event events[events_per_wait];
  for (;;) {
    const int count = epoll_wait(poll_set, events, events_per_wait, -1);
    for (int index = 0; index < count; ++index) {
      struct Connection* connection = events[index].data.ptr;
      if (connection == NULL) {
        accept_all();
      } else if (connection->unsent != NULL) {
        flush_unsent(connection);
      } else {
        serve(connection);
      }
    }
  }
}
