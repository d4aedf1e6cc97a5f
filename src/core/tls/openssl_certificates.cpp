// Certificates for development: see tern/tls_certificates.hpp.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "src/core/tls/openssl.hpp"
#include "tern/endpoint.hpp"
#include "tern/tls_certificates.hpp"

namespace tern {
namespace {

using namespace tls;

constexpr std::size_t common_name_bytes_max = 64;  // RFC 5280, ub-common-name

template <class T>
std::string pem_of(int (*write)(BIO*, const T*), const T* object) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || write(bio.get(), object) != 1) throw_error("writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

int write_key(BIO* bio, const EVP_PKEY* key) {
  return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
}

KeyHandle make_key(TlsKeyKind kind) {
  KeyHandle key(kind == TlsKeyKind::rsa_2048
                    ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
                    : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) throw_error("a private key");
  return key;
}

// The syntax of the extension gives commas and colons a meaning.
std::string name_entry(const std::string& host) {
  const auto is_fit = [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' ||
           letter == '.' || letter == '_';
  };
  if (Endpoint::from_address(host, 0)) return "IP:" + host;
  const bool wildcard = host.starts_with("*.");
  const std::string_view rest = std::string_view(host).substr(wildcard ? 2 : 0);
  if (rest.empty() || rest.size() > 250 || !std::all_of(rest.begin(), rest.end(), is_fit)) {
    throw_invalid("'" + host + "' is not a host name or an address");
  }
  return "DNS:" + host;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) throw_error("the extension '" + value + "'");
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  if (added != 1) throw_error("the extension '" + value + "'");
}

void set_serial(X509* certificate) {
  std::array<unsigned char, 16> serial{};
  if (RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1)
    throw_error("random numbers");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7fU) | 0x40U);  // positive, never short
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  const bool done = number != nullptr &&
                    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  if (!done) throw_error("a serial number");
}

// All but issuer, extensions and signature.
CertificateHandle begin(const TlsCertificateRequest& request, const std::string& common_name,
                        EVP_PKEY* key) {
  ERR_clear_error();
  CertificateHandle certificate(X509_new());
  if (certificate == nullptr) throw_error("a certificate");
  if (common_name.size() > common_name_bytes_max) {
    throw_invalid("the common name '" + common_name + "' is longer than 64 bytes");
  }
  X509_set_version(certificate.get(), X509_VERSION_3);
  set_serial(certificate.get());
  // An hour earlier: clocks differ.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(request.lifetime);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), static_cast<long>(lifetime.count()));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  if (X509_set_pubkey(certificate.get(), key) != 1 ||
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text,
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    throw_error("the name '" + common_name + "'");
  }
  return certificate;
}

void sign(X509* certificate, const X509* issuer, EVP_PKEY* issuer_key) {
  if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
      X509_sign(certificate, issuer_key, EVP_sha256()) == 0) {
    throw_error("signing a certificate");
  }
}

std::string subject_of(const TlsCertificateRequest& request) {
  if (!request.common_name.empty()) return request.common_name;
  // A long name is still among the alternative names, which are the ones that count.
  if (!request.hosts.empty()) return request.hosts.front().substr(0, common_name_bytes_max);
  return request.is_client ? "tern client" : "localhost";
}

// `issuer` null: it signs itself.
TlsIdentity make_leaf(X509* issuer, EVP_PKEY* issuer_key, const TlsCertificateRequest& request) {
  std::string names;
  for (const std::string& host : request.hosts) {
    if (!names.empty()) names += ',';
    names += name_entry(host);
  }
  const KeyHandle key = make_key(request.key);
  const CertificateHandle leaf = begin(request, subject_of(request), key.get());
  X509* const signer = issuer == nullptr ? leaf.get() : issuer;
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(signer));
  add_extension(leaf.get(), signer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), signer, NID_key_usage, "critical,digitalSignature");
  add_extension(leaf.get(), signer, NID_ext_key_usage,
                request.is_client ? "clientAuth" : "serverAuth");
  add_extension(leaf.get(), signer, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) add_extension(leaf.get(), signer, NID_authority_key_identifier, "keyid");
  if (!names.empty()) add_extension(leaf.get(), signer, NID_subject_alt_name, names);
  sign(leaf.get(), signer, issuer == nullptr ? key.get() : issuer_key);
  TlsIdentity identity;
  identity.certificate_pem = pem_of<X509>(PEM_write_bio_X509, leaf.get());
  identity.key_pem = pem_of<EVP_PKEY>(write_key, key.get());
  identity.name = "the certificate of " + subject_of(request);
  return identity;
}

}  // namespace

TlsIdentity make_tls_authority(const TlsCertificateRequest& request) {
  const KeyHandle key = make_key(request.key);
  const std::string name =
      request.common_name.empty() ? "tern development authority" : request.common_name;
  const CertificateHandle authority = begin(request, name, key.get());
  X509_set_issuer_name(authority.get(), X509_get_subject_name(authority.get()));
  add_extension(authority.get(), authority.get(), NID_basic_constraints,
                "critical,CA:TRUE,pathlen:0");
  add_extension(authority.get(), authority.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(authority.get(), authority.get(), NID_subject_key_identifier, "hash");
  sign(authority.get(), authority.get(), key.get());
  TlsIdentity identity;
  identity.certificate_pem = pem_of<X509>(PEM_write_bio_X509, authority.get());
  identity.key_pem = pem_of<EVP_PKEY>(write_key, key.get());
  identity.name = name;
  return identity;
}

TlsIdentity make_tls_leaf(const TlsIdentity& authority, const TlsCertificateRequest& request) {
  const auto issuers = read_certificates(authority.certificate_pem, authority.name);
  const KeyHandle key = read_key(authority.key_pem, authority.name);
  if (X509_check_private_key(issuers.front().get(), key.get()) != 1) {
    throw_invalid("the authority's private key does not belong to its certificate");
  }
  return make_leaf(issuers.front().get(), key.get(), request);
}

TlsIdentity make_tls_leaf(const TlsCertificateRequest& request) {
  return make_leaf(nullptr, nullptr, request);
}

std::string tls_fingerprint(std::string_view pem) {
  const auto certificates = read_certificates(pem, "the certificate");
  std::string text;
  for (const char digit : fingerprint_of(certificates.front().get())) {
    if (text.size() % 3 == 2) text += ':';
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(digit)));
  }
  return text;
}

}  // namespace tern
