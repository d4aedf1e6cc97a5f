#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "src/core/tls/openssl.hpp"
#include "tern/tls.hpp"

namespace tern {
namespace tls {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }

  std::string message(int value) const override {
    switch (value) {
      case error_flood:
        return "too many records without data";
      case error_fingerprint:
        return "the certificate has another fingerprint";
      case error_name:
        return "no certificate can prove the name that is expected";
      case error_refused:
        return "the peer ended the handshake";
      case error_truncated:
        return "the stream ended without a closing alert";
      case error_unknown:
        return "failed without a reason";
      default:
        break;
    }
    if (value < own_errors_begin) return X509_verify_cert_error_string(value);
    const char* reason = ERR_reason_error_string(static_cast<unsigned long>(value));
    return reason != nullptr ? reason : "TLS error " + std::to_string(value);
  }
};

// Nobody is asked for a pass phrase: a server has no terminal.
int no_pass_phrase(char*, int, int, void*) { return 0; }

BioHandle reader(std::string_view text) {
  BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (bio == nullptr) throw std::bad_alloc();
  return bio;
}

}  // namespace

std::error_code make_error(int value) { return {value, tls_category()}; }

std::error_code take_error() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return make_error(error_unknown);
  // A call of the system underneath, such as a file that is missing.
  if (ERR_SYSTEM_ERROR(code)) return {ERR_GET_REASON(code), std::generic_category()};
  return make_error(static_cast<int>(code));
}

void throw_error(const std::string& what) { throw std::system_error(take_error(), what); }

void throw_invalid(const std::string& what) {
  ERR_clear_error();
  throw std::system_error(std::make_error_code(std::errc::invalid_argument), what);
}

std::vector<CertificateHandle> read_certificates(std::string_view pem, const std::string& name) {
  ERR_clear_error();
  std::vector<CertificateHandle> certificates;
  const BioHandle bio = reader(pem);
  while (CertificateHandle next{PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)}) {
    certificates.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (certificates.empty() && at_end) throw_invalid("no PEM certificate in " + name);
  if (!at_end) throw_error("a certificate in " + name);
  ERR_clear_error();
  return certificates;
}

KeyHandle read_key(std::string_view pem, const std::string& name) {
  ERR_clear_error();
  const BioHandle bio = reader(pem);
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (key != nullptr) return key;
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    throw_invalid("the private key of " + name +
                  " has a pass phrase; decrypt it with: openssl pkey -in KEY -out NEW_KEY");
  }
  throw_invalid("no PEM private key for " + name);
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) throw_error("SHA-256");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}  // namespace tls

const std::error_category& tls_category() noexcept {
  static const tls::Category category;
  return category;
}

std::string tls_engine() {
  const std::string_view text = OpenSSL_version(OPENSSL_VERSION);
  // "OpenSSL 3.0.19 27 Jan 2026": the date says nothing that the version does not.
  const std::size_t second_space = text.find(' ', text.find(' ') + 1);
  return std::string(text.substr(0, second_space));
}

}  // namespace tern
