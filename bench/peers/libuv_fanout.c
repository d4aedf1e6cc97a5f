// Fan-out on libuv, in its fastest idiom: one receive buffer for all members, uv_try_write for each
// line and each member, and an allocated write request only for what the kernel did not take. A
// member is read from whatever it leaves unread itself: it is ended when that is too much.
#include "peer_fanout.h"

#include <uv.h>

struct Connection {
  struct Member member;
  uv_tcp_t handle;
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

static void on_closed(uv_handle_t* handle) { free(handle->data); }

static void end_connection(struct Connection* connection) {
  uv_handle_t* handle = (uv_handle_t*)&connection->handle;
  if (uv_is_closing(handle)) return;
  room_leave(&connection->member);
  uv_close(handle, on_closed);
}

static void on_written(uv_write_t* request, int status) {
  struct Connection* connection = request->handle->data;
  free(request);
  if (status != 0) end_connection(connection);
}

static void write_rest(struct Connection* connection, const char* bytes, size_t byte_count) {
  uv_stream_t* stream = (uv_stream_t*)&connection->handle;
  struct UnsentWrite* unsent = NULL;
  if (uv_stream_get_write_queue_size(stream) + byte_count <= room_unsent_bytes_max)
    unsent = malloc(sizeof *unsent + byte_count);
  if (unsent == NULL) {
    end_connection(connection);
    return;
  }
  memcpy(unsent->bytes, bytes, byte_count);
  const uv_buf_t rest = uv_buf_init(unsent->bytes, (unsigned)byte_count);
  if (uv_write(&unsent->request, stream, &rest, 1, on_written) != 0) {
    free(unsent);
    end_connection(connection);
  }
}

static void tell(struct Member* member, const char* line, size_t bytes) {
  struct Connection* connection = (struct Connection*)member;
  const uv_buf_t whole = uv_buf_init((char*)line, (unsigned)bytes);
  const int result = uv_try_write((uv_stream_t*)&connection->handle, &whole, 1);
  if (result == (int)bytes) return;
  if (result < 0 && result != UV_EAGAIN) {
    end_connection(connection);
    return;
  }
  const size_t sent = result > 0 ? (size_t)result : 0;
  write_rest(connection, line + sent, bytes - sent);
}

static void say(struct Member* sender, const char* line, size_t bytes) {
  room_tell(sender, line, bytes, tell);
}

static void on_read(uv_stream_t* stream, ssize_t received, const uv_buf_t* buffer) {
  struct Connection* connection = stream->data;
  if (received == 0) return;
  if (received < 0 || !room_hear(&connection->member, buffer->base, (size_t)received, say))
    end_connection(connection);
}

static void on_connection(uv_stream_t* server, int status) {
  if (status != 0) return;
  struct Connection* connection = calloc(1, sizeof *connection);
  if (connection == NULL) return;
  uv_tcp_init(server->loop, &connection->handle);
  connection->handle.data = connection;
  uv_stream_t* stream = (uv_stream_t*)&connection->handle;
  const int result = uv_accept(server, stream);
  if (!room_join(&connection->member)) {
    uv_close((uv_handle_t*)stream, on_closed);
  } else if (result != 0 || uv_read_start(stream, on_alloc, on_read) != 0) {
    end_connection(connection);
  }
}

static void on_terminate(uv_signal_t* handle, int signal_number) {
  (void)signal_number;
  uv_stop(handle->loop);
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
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
  peer_announce(listener, "tcp");
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}
