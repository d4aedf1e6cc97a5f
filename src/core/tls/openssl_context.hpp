// The contexts of the OpenSSL engine.
//
//   OpenSslContext ──► Generation ──► SSL_CTX of each identity     a reload makes a new generation;
//         │                │                                       filters keep the one they have
//         └────► Settings ◄┘              what all generations share: tickets, sessions, protocols
//
//   THREAD  any. Sessions, ticket keys and the pointer to the generation have a lock each; none is
//           held while anything is computed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "src/core/tls/openssl.hpp"
#include "tern/tls.hpp"

namespace tern::tls {

// What seals tickets. A key seals for one lifetime and opens for one more.
class TicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher_key;
    std::array<unsigned char, 32> mac_key;
  };

  explicit TicketKeys(Duration lifetime) : lifetime_(lifetime) {}
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // The key to seal with; false if there is no randomness.
  bool current(Key& key);
  // The key of that name; `is_old`: the ticket is good, but a new one should be given.
  bool find(const unsigned char* name, Key& key, bool& is_old);

 private:
  bool rotate();

  const Duration lifetime_;
  std::mutex mutex_;
  std::vector<Key> keys_;  // the newest first; at most two
  std::chrono::steady_clock::time_point made_{};
};

// The sessions that a client may resume, by the name of the peer.
class Sessions {
 public:
  void keep(const std::string& peer_name, SessionHandle session);
  // Null if there is none. One of TLS 1.3 is given out once, for it could be recognised.
  SessionHandle take(const std::string& peer_name);

 private:
  static constexpr std::size_t names_max = 1024;
  static constexpr std::size_t sessions_per_name_max = 16;

  std::mutex mutex_;
  std::map<std::string, std::deque<SessionHandle>, std::less<>> sessions_;
};

struct Settings {
  explicit Settings(Duration ticket_key_lifetime) : ticket_keys(ticket_key_lifetime) {}

  bool is_server = false;
  bool verify = true;
  bool resume = false;
  unsigned tickets = 0;
  TlsVersion version_min = TlsVersion::tls1_2;
  TlsVersion version_max = TlsVersion::tls1_3;
  TlsClientCertificates client_certificates = TlsClientCertificates::off;
  std::string authorities_pem;
  std::string fingerprint;  // lower-case hex digits
  std::string protocols;    // as on the wire: each with its length in front
  std::array<unsigned char, 16> session_context{};
  std::function<void(std::string_view)> key_log;
  TicketKeys ticket_keys;
  Sessions sessions;
};

// One set of identities.
struct Generation {
  struct Identity {
    ContextHandle context;
    CertificateHandle certificate;
    std::string ocsp_response;
  };

  // Throws std::system_error.
  Generation(std::shared_ptr<Settings> settings, const std::vector<TlsIdentity>& identities);

  // Whom a client that asks for `server_name` gets.
  const Identity& identity_for(const std::string& server_name) const;

  std::shared_ptr<Settings> settings;
  std::vector<Identity> identities;  // at least one; a client's may lack a certificate
};

}  // namespace tern::tls
