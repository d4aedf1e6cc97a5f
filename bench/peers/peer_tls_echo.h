// An echo inside OpenSSL that knows no socket: what was received goes in, what is to be sent comes
// out. Both lie in buffers that all connections share, and OpenSSL reads and writes them through a
// BIO of our own, so a message is one receive and one send. Idle connections give their record
// buffers back, as tern's do.
#pragma once

#include "peer_tls.h"

#include <stdbool.h>

enum {
  tls_plaintext_bytes = 16 * 1024,
  // What one receive can become, with room for each record's head and tail and a handshake.
  tls_output_bytes = 2 * peer_receive_bytes + 32 * 1024
};

static SSL_CTX* tls_context;
static BIO_METHOD* tls_bio_method;
static const char* tls_input;
static size_t tls_input_bytes;  // not yet read by OpenSSL
static char tls_output[tls_output_bytes];
static size_t tls_output_end;
static char tls_plaintext[tls_plaintext_bytes];

static inline int tls_bio_read(BIO* bio, char* into, size_t size, size_t* count) {
  *count = size < tls_input_bytes ? size : tls_input_bytes;
  BIO_clear_retry_flags(bio);
  if (*count == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(into, tls_input, *count);
  tls_input += *count;
  tls_input_bytes -= *count;
  return 1;
}

static inline int tls_bio_write(BIO* bio, const char* from, size_t size, size_t* count) {
  BIO_clear_retry_flags(bio);
  *count = size;
  if (size > sizeof tls_output - tls_output_end) return 0;  // cannot be: see tls_output_bytes
  memcpy(tls_output + tls_output_end, from, size);
  tls_output_end += size;
  return 1;
}

static inline long tls_bio_control(BIO* bio, int command, long number, void* pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static inline void tls_echo_prepare(const struct PeerTls* tls) {
  tls_context = peer_tls_context(tls);
  SSL_CTX_set_mode(tls_context, SSL_MODE_RELEASE_BUFFERS);
  tls_bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shared buffers");
  if (tls_bio_method == NULL) peer_tls_fail("BIO_meth_new");
  BIO_meth_set_read_ex(tls_bio_method, tls_bio_read);
  BIO_meth_set_write_ex(tls_bio_method, tls_bio_write);
  BIO_meth_set_ctrl(tls_bio_method, tls_bio_control);
}

// Returns NULL for want of memory.
static inline SSL* tls_echo_open(void) {
  SSL* ssl = SSL_new(tls_context);
  BIO* bio = BIO_new(tls_bio_method);
  if (ssl == NULL || bio == NULL) {
    SSL_free(ssl);
    BIO_free(bio);
    return NULL;
  }
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_accept_state(ssl);
  return ssl;
}

// Leaves in `tls_output` what is to be sent. Returns whether the connection goes on after that.
// OpenSSL takes all of the input: what it cannot use yet, it keeps.
static inline bool tls_echo(SSL* ssl, const char* bytes, size_t count) {
  tls_input = bytes;
  tls_input_bytes = count;
  tls_output_end = 0;
  ERR_clear_error();
  for (;;) {
    size_t read = 0;
    const int result = SSL_read_ex(ssl, tls_plaintext, sizeof tls_plaintext, &read);
    if (result == 1) {
      size_t written = 0;
      if (SSL_write_ex(ssl, tls_plaintext, read, &written) != 1) return false;
      continue;
    }
    if (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) return true;
    if (SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN) SSL_shutdown(ssl);
    return false;
  }
}
