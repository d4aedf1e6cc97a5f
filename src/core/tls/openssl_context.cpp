#include "src/core/tls/openssl_context.hpp"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cstring>
#include <utility>

#include "src/core/tls/openssl_filter.hpp"

namespace tern::tls {
namespace {

// TLS 1.2 with forward secrecy and authenticated encryption alone (RFC 9325 4.2).
constexpr const char* ciphers_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* ciphers_1_3 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

int number_of(TlsVersion version) {
  return version == TlsVersion::tls1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

// --- what OpenSSL calls ---

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void on_key_log(const SSL* ssl, const char* line) {
  OpenSslFilter::of(ssl).settings().key_log(line);
}

int on_server_name(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const Generation& generation = OpenSslFilter::of(ssl).generation();
  SSL_set_SSL_CTX(ssl, generation.identity_for(name).context.get());
  return SSL_TLSEXT_ERR_OK;
}

int on_protocols(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes,
                 const unsigned char* offered, unsigned int offered_bytes, void*) {
  const std::string& ours = OpenSslFilter::of(ssl).settings().protocols;
  unsigned char* selected = nullptr;
  const int result =
      SSL_select_next_proto(&selected, chosen_bytes, bytes_of(ours),
                            static_cast<unsigned int>(ours.size()), offered, offered_bytes);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

int on_status_request(SSL* ssl, void*) {
  for (const auto& identity : OpenSslFilter::of(ssl).generation().identities) {
    if (identity.context.get() != SSL_get_SSL_CTX(ssl)) continue;
    const std::string& response = identity.ocsp_response;
    if (response.empty()) return SSL_TLSEXT_ERR_NOACK;
    void* copy = OPENSSL_memdup(response.data(), response.size());
    if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

bool use_key(const TicketKeys::Key& key, unsigned char* iv, EVP_CIPHER_CTX* cipher,
             EVP_MAC_CTX* mac, bool seal) {
  char digest[] = "SHA256";
  // The interface takes what is not const and only reads it.
  const std::array<OSSL_PARAM, 3> parameters{
      {OSSL_PARAM_construct_octet_string(
           OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.mac_key.data()), key.mac_key.size()),
       OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
       OSSL_PARAM_construct_end()}};
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher_key.data(), iv,
                           seal ? 1 : 0) == 1 &&
         EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

// Returns -1 for a failure, 0 for a full handshake, 1 for a good ticket, 2 for one to be renewed.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int seal) {
  TicketKeys& keys = OpenSslFilter::of(ssl).generation().settings->ticket_keys;
  TicketKeys::Key key;
  bool is_old = false;
  if (seal == 1) {
    if (!keys.current(key)) return -1;
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::memcpy(name, key.name.data(), key.name.size());
  } else if (!keys.find(name, key, is_old)) {
    return 0;
  }
  const bool ready = use_key(key, iv, cipher, mac, seal == 1);
  OPENSSL_cleanse(&key, sizeof key);
  if (!ready) return -1;
  // A client of TLS 1.3 uses a ticket once (RFC 8446 C.4), so it needs the next one.
  return is_old || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const OpenSslFilter& filter = OpenSslFilter::of(ssl);
  if (SSL_SESSION_is_resumable(session) != 1) return 0;
  filter.generation().settings->sessions.keep(filter.peer_name(), SessionHandle(session));
  return 1;  // it is ours now
}

// Instead of the chain and the names: one certificate alone is accepted.
int on_verify_fingerprint(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  OpenSslFilter& filter = OpenSslFilter::of(ssl);
  const X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (leaf != nullptr && fingerprint_of(leaf) == filter.settings().fingerprint) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  filter.refuse(error_fingerprint);
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// --- making a context ---

void use_identity(SSL_CTX* context, Generation::Identity& kept, const TlsIdentity& identity) {
  const std::string& name = identity.name.empty() ? "the certificate" : identity.name;
  auto chain = read_certificates(identity.certificate_pem, name);
  const KeyHandle key = read_key(identity.key_pem, name);
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) throw_error(name);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) throw_error("the chain of " + name);
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    throw_invalid("the private key does not belong to " + name);
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) throw_error("the private key of " + name);
  kept.certificate = std::move(chain.front());
  kept.ocsp_response = identity.ocsp_response;
}

void trust(SSL_CTX* context, const std::string& authorities_pem, bool as_client_names) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const auto& authority : read_certificates(authorities_pem, "the authorities")) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) throw_error("an authority");
    if (as_client_names) SSL_CTX_add_client_CA(context, authority.get());
  }
}

void set_up_server(SSL_CTX* context, const Settings& settings) {
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, settings.session_context.data(),
                                 static_cast<unsigned int>(settings.session_context.size()));
  SSL_CTX_set_num_tickets(context, settings.tickets);
  if (settings.tickets == 0) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
  SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
  SSL_CTX_set_tlsext_status_cb(context, on_status_request);
  if (!settings.protocols.empty()) SSL_CTX_set_alpn_select_cb(context, on_protocols, nullptr);
  if (settings.client_certificates == TlsClientCertificates::off) return;
  const bool required = settings.client_certificates == TlsClientCertificates::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  trust(context, settings.authorities_pem, true);
}

void set_up_client(SSL_CTX* context, const Settings& settings) {
  if (settings.resume) {
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
  }
  if (!settings.protocols.empty() &&
      SSL_CTX_set_alpn_protos(context, bytes_of(settings.protocols),
                              static_cast<unsigned int>(settings.protocols.size())) != 0) {
    throw_error("application protocols");
  }
  if (!settings.verify) return;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (!settings.fingerprint.empty()) {
    SSL_CTX_set_cert_verify_callback(context, on_verify_fingerprint, nullptr);
  } else if (!settings.authorities_pem.empty()) {
    trust(context, settings.authorities_pem, false);
  } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
    throw_error("the system's certificate authorities");
  }
}

ContextHandle make_context(const Settings& settings) {
  ERR_clear_error();
  ContextHandle context(
      SSL_CTX_new(settings.is_server ? TLS_server_method() : TLS_client_method()));
  if (context == nullptr) throw_error("a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), number_of(settings.version_min));
  SSL_CTX_set_max_proto_version(context.get(), number_of(settings.version_max));
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Idle connections hold no record buffers. A record that is retried may lie elsewhere by then.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  std::string groups = "X25519:P-256:P-384";
  if (SSL_CTX_set_cipher_list(context.get(), ciphers_1_2) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), ciphers_1_3) != 1 ||
      SSL_CTX_set1_groups_list(context.get(), groups.data()) != 1) {
    throw_error("the ciphers");
  }
  if (settings.key_log) SSL_CTX_set_keylog_callback(context.get(), on_key_log);
  if (settings.is_server) {
    set_up_server(context.get(), settings);
  } else {
    set_up_client(context.get(), settings);
  }
  return context;
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      throw_invalid("an application protocol of " + std::to_string(protocol.size()) +
                    " bytes; it must have 1 to 255");
    }
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

std::string normal_fingerprint(const std::string& text) {
  std::string digits;
  for (const char letter : text) {
    if (letter == ':') continue;
    if (std::isxdigit(static_cast<unsigned char>(letter)) == 0) digits.clear();
    digits += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  if (!text.empty() && digits.size() != 64) {
    throw_invalid("the fingerprint '" + text + "' is not a SHA-256; it has 64 hex digits");
  }
  return digits;
}

class OpenSslContext final : public TlsContext {
 public:
  OpenSslContext(std::shared_ptr<Settings> settings, const std::vector<TlsIdentity>& identities)
      : settings_(std::move(settings)),
        generation_(std::make_shared<const Generation>(settings_, identities)) {}

  bool is_server() const override { return settings_->is_server; }

  void set_identities(std::vector<TlsIdentity> identities) override {
    assert(is_server());
    auto next = std::make_shared<const Generation>(settings_, identities);
    const std::scoped_lock lock(mutex_);
    generation_.swap(next);
  }

  std::unique_ptr<Filter> make_filter(const std::string& peer_name) override {
    return std::make_unique<OpenSslFilter>(generation(), peer_name);
  }

 private:
  std::shared_ptr<const Generation> generation() {
    const std::scoped_lock lock(mutex_);
    return generation_;
  }

  std::shared_ptr<Settings> settings_;
  std::mutex mutex_;
  std::shared_ptr<const Generation> generation_;
};

}  // namespace

Generation::Generation(std::shared_ptr<Settings> all_settings,
                       const std::vector<TlsIdentity>& all_identities)
    : settings(std::move(all_settings)) {
  for (const TlsIdentity& identity : all_identities) {
    Identity& kept = identities.emplace_back();
    kept.context = make_context(*settings);
    use_identity(kept.context.get(), kept, identity);
  }
  if (!identities.empty()) return;
  if (settings->is_server) throw_invalid("a TLS server needs a certificate");
  identities.emplace_back().context = make_context(*settings);
}

const Generation::Identity& Generation::identity_for(const std::string& server_name) const {
  for (const Identity& identity : identities) {
    if (X509_check_host(identity.certificate.get(), server_name.data(), server_name.size(),
                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1) {
      return identity;
    }
  }
  ERR_clear_error();
  return identities.front();
}

}  // namespace tern::tls

namespace tern {

std::shared_ptr<TlsContext> make_tls_server(const TlsServerOptions& options) {
  auto settings = std::make_shared<tls::Settings>(options.ticket_key_lifetime);
  settings->is_server = true;
  settings->version_min = options.version_min;
  settings->tickets = options.tickets;
  settings->client_certificates = options.client_certificates;
  settings->authorities_pem = options.client_authorities_pem;
  settings->protocols = tls::wire_form(options.protocols);
  settings->key_log = options.key_log;
  auto& session_context = settings->session_context;
  if (RAND_bytes(session_context.data(), static_cast<int>(session_context.size())) != 1) {
    tls::throw_error("random numbers");
  }
  return std::make_shared<tls::OpenSslContext>(settings, options.identities);
}

std::shared_ptr<TlsContext> make_tls_client(const TlsClientOptions& options) {
  if (!options.verify && !options.fingerprint.empty()) {
    tls::throw_invalid("a fingerprint that nobody would check, for nothing is verified");
  }
  auto settings = std::make_shared<tls::Settings>(Duration::zero());
  settings->verify = options.verify;
  settings->resume = options.resume;
  settings->version_min = options.version_min;
  settings->version_max = options.version_max;
  settings->authorities_pem = options.authorities_pem;
  settings->fingerprint = tls::normal_fingerprint(options.fingerprint);
  settings->protocols = tls::wire_form(options.protocols);
  settings->key_log = options.key_log;
  std::vector<TlsIdentity> identities;
  if (!options.identity.certificate_pem.empty() || !options.identity.key_pem.empty()) {
    identities.push_back(options.identity);
  }
  return std::make_shared<tls::OpenSslContext>(settings, identities);
}

}  // namespace tern
