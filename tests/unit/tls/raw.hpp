// A TLS client of bare OpenSSL in memory, for what our own filter would never send.
#pragma once

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace tern::test {

class RawTls {
 public:
  explicit RawTls(int version = TLS1_3_VERSION) {
    SSL_set_max_proto_version(ssl, version);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
  }
  ~RawTls() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  void take(std::string_view ciphertext) {
    BIO_write(SSL_get_rbio(ssl), ciphertext.data(), static_cast<int>(ciphertext.size()));
  }
  // What it has to say.
  std::string ciphertext() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    std::string text(data, static_cast<std::size_t>(size));
    (void)BIO_reset(SSL_get_wbio(ssl));
    return text;
  }
  bool handshake() { return SSL_do_handshake(ssl) == 1; }
  void write(std::string_view text) {
    REQUIRE(SSL_write(ssl, text.data(), static_cast<int>(text.size())) > 0);
  }
  void update_keys(int kind) {
    REQUIRE(SSL_key_update(ssl, kind) == 1);
    REQUIRE(SSL_do_handshake(ssl) == 1);
  }
  // Whatever can be read now.
  std::string read() {
    std::string text(64 * 1024, '\0');
    std::size_t count = 0;
    while (true) {
      std::size_t read = 0;
      if (text.size() - count < 16 * 1024) text.resize(2 * text.size());
      if (SSL_read_ex(ssl, text.data() + count, text.size() - count, &read) != 1) break;
      count += read;
    }
    text.resize(count);
    return text;
  }

  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
};

}  // namespace tern::test
