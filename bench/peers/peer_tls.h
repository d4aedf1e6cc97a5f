// What the TLS peers share: the files of the certificate and its key, and one context for all
// connections, with OpenSSL's own defaults but for what tern refuses as well (TLS below 1.2).
#pragma once

#include "peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct PeerTls {
  const char* certificate;
  const char* key;
  uint16_t port;
};

// Usage: PROGRAM CERTIFICATE KEY [--port PORT], both files in PEM.
static inline struct PeerTls peer_tls_arguments(int argument_count, char** arguments) {
  if (argument_count != 3 && argument_count != 5) {
    fprintf(stderr, "usage: %s CERTIFICATE KEY [--port PORT]\n", arguments[0]);
    exit(peer_exit_usage);
  }
  struct PeerTls tls = {arguments[1], arguments[2], 0};
  arguments[2] = arguments[0];
  tls.port = peer_port(argument_count - 2, arguments + 2);
  return tls;
}

static inline void peer_tls_fail(const char* what) {
  fprintf(stderr, "%s: ", what);
  ERR_print_errors_fp(stderr);
  exit(peer_exit_unavailable);
}

static inline void peer_tls_configure(SSL_CTX* context, const struct PeerTls* tls) {
  if (SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
    peer_tls_fail(tls->certificate);
  if (SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1)
    peer_tls_fail(tls->key);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline SSL_CTX* peer_tls_context(const struct PeerTls* tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) peer_tls_fail("SSL_CTX_new");
  peer_tls_configure(context, tls);
  return context;
}
