// The floor for TLS: OpenSSL on bare epoll with as little around it as we know how to write.
// Ciphertext is received into one buffer and collected in another, both shared by all connections;
// OpenSSL reads and writes them through a BIO of our own, so a message is one receive and one send.
// Idle connections give their record buffers back, as tern's do.
#include "peer_tls.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
  events_per_wait = 1024,
  plaintext_bytes = 16 * 1024,
  // What one receive can become, with room for each record's head and tail and a handshake.
  output_bytes = 2 * peer_receive_bytes + 32 * 1024
};

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
static SSL_CTX* context;
static BIO_METHOD* bio_method;
static char input[peer_receive_bytes];
static size_t input_begin;
static size_t input_end;
static char output[output_bytes];
static size_t output_end;
static char plaintext[plaintext_bytes];

static void on_terminate(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static int bio_read(BIO* bio, char* into, size_t size, size_t* count) {
  const size_t available = input_end - input_begin;
  *count = size < available ? size : available;
  BIO_clear_retry_flags(bio);
  if (*count == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(into, input + input_begin, *count);
  input_begin += *count;
  return 1;
}

static int bio_write(BIO* bio, const char* from, size_t size, size_t* count) {
  BIO_clear_retry_flags(bio);
  *count = size;
  if (size > sizeof output - output_end) return 0;  // cannot be: see output_bytes
  memcpy(output + output_end, from, size);
  output_end += size;
  return 1;
}

static long bio_control(BIO* bio, int command, long number, void* pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
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
  connection->ssl = SSL_new(context);
  BIO* bio = BIO_new(bio_method);
  if (connection->ssl == NULL || bio == NULL) peer_tls_fail("SSL_new");
  BIO_set_init(bio, 1);
  SSL_set_bio(connection->ssl, bio, bio);
  SSL_set_accept_state(connection->ssl);
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
  if (output_end == 0) return true;
  ssize_t sent = send(connection->descriptor, output, output_end, MSG_NOSIGNAL);
  if (sent == (ssize_t)output_end) return true;
  if (sent < 0) {
    if (errno != EAGAIN) return false;
    sent = 0;
  }
  connection->begin = 0;
  connection->end = output_end - (size_t)sent;
  connection->unsent = malloc(connection->end);
  if (connection->unsent == NULL) return false;
  memcpy(connection->unsent, output + sent, connection->end);
  return watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
}

// Returns whether the connection lives on. OpenSSL takes all of the input: what it cannot use yet,
// it keeps.
static bool echo_input(struct Connection* connection) {
  SSL* ssl = connection->ssl;
  for (;;) {
    size_t count = 0;
    const int result = SSL_read_ex(ssl, plaintext, sizeof plaintext, &count);
    if (result == 1) {
      size_t written = 0;
      if (SSL_write_ex(ssl, plaintext, count, &written) != 1) return false;
      continue;
    }
    if (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) return true;
    if (SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN) SSL_shutdown(ssl);
    return false;
  }
}

static void serve(struct Connection* connection) {
  const ssize_t received = recv(connection->descriptor, input, sizeof input, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0) {
    close_connection(connection);
    return;
  }
  input_begin = 0;
  input_end = (size_t)received;
  output_end = 0;
  ERR_clear_error();
  const bool lives = echo_input(connection);
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
  context = peer_tls_context(&tls);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shared buffers");
  if (bio_method == NULL) peer_tls_fail("BIO_meth_new");
  BIO_meth_set_read_ex(bio_method, bio_read);
  BIO_meth_set_write_ex(bio_method, bio_write);
  BIO_meth_set_ctrl(bio_method, bio_control);

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
