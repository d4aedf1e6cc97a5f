// Fan-out on libevent's bufferevents, the interface its users write to: lines by its own
// evbuffer_readln, and each member's output collects what is written to it until the loop finds the
// member writable. So what several lines of a turn bring goes out in one call, without our help.
#include "peer_fanout.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>

struct Connection {
  struct Member member;
  struct bufferevent* stream;
};

static void end_connection(struct Connection* connection) {
  room_leave(&connection->member);
  bufferevent_free(connection->stream);
  free(connection);
}

static void tell(struct Member* member, const char* line, size_t bytes) {
  struct Connection* connection = (struct Connection*)member;
  const size_t unsent = evbuffer_get_length(bufferevent_get_output(connection->stream));
  if (unsent + bytes > room_unsent_bytes_max ||
      bufferevent_write(connection->stream, line, bytes) != 0)
    end_connection(connection);
}

static void on_readable(struct bufferevent* stream, void* context) {
  struct Connection* connection = context;
  struct evbuffer* input = bufferevent_get_input(stream);
  for (;;) {
    size_t bytes = 0;
    char* line = evbuffer_readln(input, &bytes, EVBUFFER_EOL_LF);
    if (line == NULL) break;
    line[bytes++] = '\n';  // where readln put a zero
    if (bytes <= room_line_bytes_max) room_tell(&connection->member, line, bytes, tell);
    free(line);
    if (bytes > room_line_bytes_max) {
      end_connection(connection);
      return;
    }
  }
  if (evbuffer_get_length(input) >= room_line_bytes_max) end_connection(connection);
}

// The end of the stream, or an error.
static void on_event(struct bufferevent* stream, short events, void* context) {
  (void)stream;
  (void)events;
  end_connection(context);
}

static void on_accepted(struct evconnlistener* listener, evutil_socket_t descriptor,
                        struct sockaddr* address, int address_bytes, void* context) {
  (void)address;
  (void)address_bytes;
  (void)context;
  struct Connection* connection = calloc(1, sizeof *connection);
  struct bufferevent* stream =
      bufferevent_socket_new(evconnlistener_get_base(listener), descriptor, BEV_OPT_CLOSE_ON_FREE);
  if (connection == NULL || stream == NULL || !room_join(&connection->member)) {
    free(connection);
    if (stream != NULL) {
      bufferevent_free(stream);
    } else {
      evutil_closesocket(descriptor);
    }
    return;
  }
  connection->stream = stream;
  // All that a turn has collected; of each member libevent reads 16 KiB a turn.
  bufferevent_set_max_single_write(stream, room_unsent_bytes_max);
  bufferevent_setcb(stream, on_readable, NULL, on_event, connection);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
}

static void on_terminate(evutil_socket_t signal_number, short events, void* context) {
  (void)signal_number;
  (void)events;
  event_base_loopbreak((struct event_base*)context);
}

int main(int argument_count, char** arguments) {
  const int socket_descriptor = peer_listen(peer_port(argument_count, arguments));
  signal(SIGPIPE, SIG_IGN);
  // One thread touches the base, so it needs no locks.
  struct event_config* configuration = event_config_new();
  event_config_set_flag(configuration, EVENT_BASE_FLAG_NOLOCK);
  struct event_base* base = event_base_new_with_config(configuration);
  event_config_free(configuration);
  if (base == NULL) {
    fputs("libevent: cannot make an event base\n", stderr);
    return peer_exit_unavailable;
  }
  struct evconnlistener* listener =
      evconnlistener_new(base, on_accepted, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, socket_descriptor);
  struct event* terminate = evsignal_new(base, SIGTERM, on_terminate, base);
  if (listener == NULL || terminate == NULL || event_add(terminate, NULL) != 0) {
    fputs("libevent: cannot watch the listening socket and SIGTERM\n", stderr);
    return peer_exit_unavailable;
  }
  peer_announce(socket_descriptor, "tcp");
  event_base_dispatch(base);
  return 0;
}
