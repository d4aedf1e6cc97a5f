// What the files of the OpenSSL engine share: owning handles, and its errors as ours. Nothing else
// includes OpenSSL. OpenSSL keeps errors in a queue of the thread, whoever caused them: each of our
// calls clears it before it asks anything, and leaves it empty.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tern::tls {

template <auto free_function>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};

using ContextHandle = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using SessionHandle = std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION_free>>;
using ConnectionHandle = std::unique_ptr<SSL, Freer<SSL_free>>;
using CertificateHandle = std::unique_ptr<X509, Freer<X509_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using BioHandle = std::unique_ptr<BIO, Freer<BIO_free>>;

// Values of tls_category(): OpenSSL's packed codes, which are large; results of verifying a
// certificate (X509_V_ERR_...), which are below this; and our own, which are from here on.
inline constexpr int own_errors_begin = 1000;
inline constexpr int error_flood = own_errors_begin;
inline constexpr int error_fingerprint = own_errors_begin + 1;
inline constexpr int error_truncated = own_errors_begin + 2;
inline constexpr int error_unknown = own_errors_begin + 3;
inline constexpr int error_name = own_errors_begin + 4;
inline constexpr int error_refused = own_errors_begin + 5;

std::error_code make_error(int value);
// The first error in the queue, which is emptied. `error_unknown` if there is none.
std::error_code take_error();
// Throws what is in the queue: "what: reason".
[[noreturn]] void throw_error(const std::string& what);
[[noreturn]] void throw_invalid(const std::string& what);

// Every certificate in `pem`; `name` is for the message. Throws if there is none.
std::vector<CertificateHandle> read_certificates(std::string_view pem, const std::string& name);
KeyHandle read_key(std::string_view pem, const std::string& name);
// The SHA-256 of the DER form, in lower-case hex digits.
std::string fingerprint_of(const X509* certificate);

}  // namespace tern::tls
