// Echo on libevent's bufferevents, the interface its users write to: the input is moved to the
// output without a copy, and reading stops while the peer leaves more than a receive of output
// unread. Built twice: libevent_tls puts its own TLS between.
#ifdef PEER_TLS
#include <event2/bufferevent_ssl.h>

#include "peer_tls.h"
#else
#include "peer.h"
#endif

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdbool.h>

enum { output_high_bytes = peer_receive_bytes };

#ifdef PEER_TLS
static const char* const scheme = "tls";
static SSL_CTX* tls_context;

static uint16_t prepare(int argument_count, char** arguments) {
  const struct PeerTls tls = peer_tls_arguments(argument_count, arguments);
  tls_context = peer_tls_context(&tls);
  return tls.port;
}

static struct bufferevent* new_stream(struct event_base* base, evutil_socket_t descriptor) {
  SSL* ssl = SSL_new(tls_context);
  if (ssl == NULL) return NULL;
  return bufferevent_openssl_socket_new(base, descriptor, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                        BEV_OPT_CLOSE_ON_FREE);
}
// libevent itself sends no closing alert.
static void say_goodbye(struct bufferevent* stream) {
  SSL* ssl = bufferevent_openssl_get_ssl(stream);
  SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
  SSL_shutdown(ssl);
}
#else
static const char* const scheme = "tcp";

static void say_goodbye(struct bufferevent* stream) { (void)stream; }

static uint16_t prepare(int argument_count, char** arguments) {
  return peer_port(argument_count, arguments);
}

static struct bufferevent* new_stream(struct event_base* base, evutil_socket_t descriptor) {
  return bufferevent_socket_new(base, descriptor, BEV_OPT_CLOSE_ON_FREE);
}
#endif

static void on_readable(struct bufferevent* stream, void* context);
static void on_event(struct bufferevent* stream, short events, void* context);

// Called when the whole output has gone to the kernel; installed only while reading is stopped.
static void on_drained(struct bufferevent* stream, void* context) {
  (void)context;
  bufferevent_setcb(stream, on_readable, NULL, on_event, NULL);
  bufferevent_enable(stream, EV_READ);
}

static void on_drained_last(struct bufferevent* stream, void* context) {
  (void)context;
  say_goodbye(stream);
  bufferevent_free(stream);
}

static size_t output_bytes(struct bufferevent* stream) {
  return evbuffer_get_length(bufferevent_get_output(stream));
}

static void on_readable(struct bufferevent* stream, void* context) {
  (void)context;
  bufferevent_write_buffer(stream, bufferevent_get_input(stream));
  if (output_bytes(stream) > output_high_bytes) {
    bufferevent_disable(stream, EV_READ);
    bufferevent_setcb(stream, on_readable, on_drained, on_event, NULL);
  }
}

static void on_event(struct bufferevent* stream, short events, void* context) {
  (void)context;
  if ((events & BEV_EVENT_CONNECTED) != 0) return;  // the handshake is over
  const bool ended_well = (events & BEV_EVENT_EOF) != 0 && (events & BEV_EVENT_ERROR) == 0;
  if (ended_well && output_bytes(stream) > 0) {
    bufferevent_disable(stream, EV_READ);
    bufferevent_setcb(stream, NULL, on_drained_last, on_event, NULL);
  } else {
    if (ended_well) say_goodbye(stream);
    bufferevent_free(stream);
  }
}

static void on_accepted(struct evconnlistener* listener, evutil_socket_t descriptor,
                        struct sockaddr* address, int address_bytes, void* context) {
  (void)address;
  (void)address_bytes;
  (void)context;
  struct bufferevent* stream = new_stream(evconnlistener_get_base(listener), descriptor);
  if (stream == NULL) {
    evutil_closesocket(descriptor);
    return;
  }
  bufferevent_set_max_single_read(stream, peer_receive_bytes);
  bufferevent_set_max_single_write(stream, peer_receive_bytes);
  bufferevent_setcb(stream, on_readable, NULL, on_event, NULL);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
}

static void on_terminate(evutil_socket_t signal_number, short events, void* context) {
  (void)signal_number;
  (void)events;
  event_base_loopbreak((struct event_base*)context);
}

int main(int argument_count, char** arguments) {
  const int socket_descriptor = peer_listen(prepare(argument_count, arguments));
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
  peer_announce(socket_descriptor, scheme);
  event_base_dispatch(base);
  return 0;
}
