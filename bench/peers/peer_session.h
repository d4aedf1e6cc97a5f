// What an echo peer answers: what it received, or, built with PEER_TLS, what tls_echo makes of it.
// So one loop on a library is both of its peers, and without TLS nothing of this is left.
#pragma once

#include "peer.h"

#include <stdbool.h>

// Valid until the next answer.
struct Answer {
  const char* bytes;
  size_t count;
};

#ifdef PEER_TLS
#include "peer_tls_echo.h"

struct Session {
  SSL* ssl;
  bool has_ended;
};

static const char* const peer_scheme = "tls";

static inline uint16_t peer_prepare(int argument_count, char** arguments) {
  const struct PeerTls tls = peer_tls_arguments(argument_count, arguments);
  tls_echo_prepare(&tls);
  return tls.port;
}

static inline bool session_open(struct Session* session) {
  session->ssl = tls_echo_open();
  session->has_ended = false;
  return session->ssl != NULL;
}

static inline void session_close(struct Session* session) { SSL_free(session->ssl); }

static inline struct Answer session_answer(struct Session* session, const char* bytes,
                                           size_t count) {
  if (session->has_ended) return (struct Answer){tls_output, 0};
  session->has_ended = !tls_echo(session->ssl, bytes, count);
  return (struct Answer){tls_output, tls_output_end};
}

// Whether the last answer was the last one: the connection ends once that is sent.
static inline bool session_has_ended(const struct Session* session) { return session->has_ended; }
#else
// Takes no room in a connection, which ISO C does not know.
__extension__ struct Session {};

static const char* const peer_scheme = "tcp";

static inline uint16_t peer_prepare(int argument_count, char** arguments) {
  return peer_port(argument_count, arguments);
}

static inline bool session_open(struct Session* session) {
  (void)session;
  return true;
}

static inline void session_close(struct Session* session) { (void)session; }

static inline struct Answer session_answer(struct Session* session, const char* bytes,
                                           size_t count) {
  (void)session;
  return (struct Answer){bytes, count};
}

static inline bool session_has_ended(const struct Session* session) {
  (void)session;
  return false;
}
#endif
