// Echo on libuv, in its fastest idiom: one receive buffer for all connections (reads of one loop
// turn never overlap), uv_try_write from the read callback, and an allocated write request only for
// what the kernel did not take. Reading stops until that rest is gone. Built twice: libuv_tls puts
// OpenSSL between.
#include "peer_session.h"

#include <uv.h>

// The handle comes first: a pointer to one is a pointer to the other.
struct Connection {
  uv_tcp_t handle;
  struct Session session;
};

struct UnsentWrite {
  uv_write_t request;
  char bytes[];
};

static char receive_buffer[peer_receive_bytes];

static void on_alloc(uv_handle_t* handle, size_t suggested_bytes, uv_buf_t* buffer) {
  (void)handle;
  (void)suggested_bytes;
  *buffer = uv_buf_init(receive_buffer, sizeof receive_buffer);
}

static void on_closed(uv_handle_t* handle) {
  struct Connection* connection = (struct Connection*)handle;
  session_close(&connection->session);
  free(connection);
}

static void close_connection(uv_stream_t* stream) {
  if (!uv_is_closing((uv_handle_t*)stream)) uv_close((uv_handle_t*)stream, on_closed);
}

static void on_read(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer);

static void on_written(uv_write_t* request, int status) {
  uv_stream_t* stream = request->handle;
  const struct Connection* connection = (const struct Connection*)stream;
  free(request);
  if (status != 0 || session_has_ended(&connection->session) ||
      uv_read_start(stream, on_alloc, on_read) != 0)
    close_connection(stream);
}

static void write_rest(uv_stream_t* stream, const char* bytes, size_t byte_count) {
  struct UnsentWrite* unsent = malloc(sizeof *unsent + byte_count);
  if (unsent == NULL) {
    close_connection(stream);
    return;
  }
  memcpy(unsent->bytes, bytes, byte_count);
  const uv_buf_t rest = uv_buf_init(unsent->bytes, (unsigned)byte_count);
  uv_read_stop(stream);
  if (uv_write(&unsent->request, stream, &rest, 1, on_written) != 0) {
    free(unsent);
    close_connection(stream);
  }
}

static inline void write_answer(uv_stream_t* stream, struct Answer answer) {
  const uv_buf_t message = uv_buf_init((char*)answer.bytes, (unsigned)answer.count);
  const int result = uv_try_write(stream, &message, 1);
  if (result == (int)answer.count) return;
  if (result < 0 && result != UV_EAGAIN) {
    close_connection(stream);
    return;
  }
  const size_t sent = result > 0 ? (size_t)result : 0;
  write_rest(stream, answer.bytes + sent, answer.count - sent);
}

static void on_read(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer) {
  if (received <= 0) {
    if (received < 0) close_connection(stream);
    return;
  }
  struct Session* session = &((struct Connection*)stream)->session;
  const struct Answer answer = session_answer(session, buffer->base, (size_t)received);
  if (answer.count > 0) write_answer(stream, answer);
  if (session_has_ended(session) && uv_stream_get_write_queue_size(stream) == 0)
    close_connection(stream);
}

static void on_connection(uv_stream_t* server, int status) {
  if (status != 0) return;
  struct Connection* connection = malloc(sizeof *connection);
  if (connection == NULL) return;
  uv_tcp_init(server->loop, &connection->handle);
  uv_stream_t* stream = (uv_stream_t*)&connection->handle;
  const bool is_open = session_open(&connection->session);
  if (uv_accept(server, stream) != 0 || !is_open || uv_read_start(stream, on_alloc, on_read) != 0)
    close_connection(stream);
}

static void on_terminate(uv_signal_t* handle, int signal_number) {
  (void)signal_number;
  uv_stop(handle->loop);
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_prepare(argument_count, arguments));
  signal(SIGPIPE, SIG_IGN);
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t server;
  uv_signal_t terminate;
  int result = uv_tcp_init(loop, &server);
  if (result == 0) result = uv_tcp_open(&server, listener);
  if (result == 0) result = uv_listen((uv_stream_t*)&server, peer_backlog, on_connection);
  if (result == 0) result = uv_signal_init(loop, &terminate);
  if (result == 0) result = uv_signal_start(&terminate, on_terminate, SIGTERM);
  if (result != 0) {
    fprintf(stderr, "libuv: %s\n", uv_strerror(result));
    return peer_exit_unavailable;
  }
  peer_announce(listener, peer_scheme);
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}
