// TLS: a property of a connection. A context says who we are and whom we trust; a Listener, a
// Server or a Connector is given one, and its connections speak TLS with the same callbacks, the
// same backpressure and the same half-close as plain ones.
//
//   auto tls = make_tls_server({.identities = {TlsIdentity::from_files("cert.pem", "key.pem")}});
//   server.listen(endpoint, factory, tls);
//
//   OWNERSHIP  Contexts are shared: connections keep the one they were made with.
//   THREAD     any; one context serves every reactor of a server.
//   ERRORS     What makes a context throws std::system_error with a message that names the file or
//              the setting. What a peer does wrong ends its connection: reasons `tls_error`,
//              `truncated` and `handshake_timeout`, with an error of tls_category().
//   DEFAULTS   TLS 1.2 and 1.3; forward secrecy and authenticated ciphers only; no renegotiation,
//              no compression, no early data. A client verifies its peer's chain and host name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "tern/export.hpp"
#include "tern/time.hpp"

namespace tern {

namespace tls {
class Filter;
}

enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };

// A certificate with its chain, the leaf first, and its private key. PEM, the key unencrypted.
struct TlsIdentity {
  std::string certificate_pem = {};
  std::string key_pem = {};
  // A stapled OCSP response (DER), handed to clients that ask for one; empty: none.
  std::string ocsp_response = {};
  // What it is called in error messages: the certificate's file.
  std::string name = {};

  // Reads the files. Throws std::system_error, also when others may read the key: the message
  // names the remedy.
  TERN_API static TlsIdentity from_files(const std::string& certificate_file,
                                         const std::string& key_file,
                                         const std::string& ocsp_file = {});
};

enum class TlsClientCertificates : std::uint8_t {
  off,       // none is asked for
  optional,  // one that is given must be good
  required,  // without a good one there is no connection
};

struct TlsServerOptions {
  // At least one. The first whose names match the client's server name is presented; without a
  // match, the first of all.
  std::vector<TlsIdentity> identities = {};
  TlsVersion version_min = TlsVersion::tls1_2;
  // Application protocols (ALPN), the most wanted first. A client that offers only others is turned
  // away; one that offers none is not. Empty: the extension is ignored.
  std::vector<std::string> protocols = {};
  TlsClientCertificates client_certificates = TlsClientCertificates::off;
  // The authorities (PEM) that client certificates must come from. REQUIRES some, unless off.
  std::string client_authorities_pem = {};
  // Tickets that let a client resume without a full handshake: how many follow a TLS 1.3 handshake
  // (TLS 1.2 has one or none); 0: none, of either version.
  unsigned tickets = 1;
  // A key seals tickets for so long, and opens them for as long again.
  Duration ticket_key_lifetime = std::chrono::hours(12);
  // Given each connection's secrets, a line each in the format of SSLKEYLOGFILE, on the reactors'
  // threads. Whoever has them can read everything: for debugging only.
  std::function<void(std::string_view line)> key_log = {};
};

struct TlsClientOptions {
  // The authorities (PEM) to trust; empty: the system's.
  std::string authorities_pem = {};
  // The only certificate to accept, by the SHA-256 of its DER form in hex digits (colons are
  // skipped); neither its authority nor its names count then. Empty: any that verifies.
  std::string fingerprint = {};
  // False: whoever answers is believed. For tests only. REQUIRES no fingerprint then.
  bool verify = true;
  TlsVersion version_min = TlsVersion::tls1_2;
  // For a test of old servers: the highest version offered.
  TlsVersion version_max = TlsVersion::tls1_3;
  std::vector<std::string> protocols = {};
  // What to present when the server asks for a certificate; absent when both are empty.
  TlsIdentity identity = {};
  // Keeps tickets, some for each server name, and resumes with them.
  bool resume = true;
  std::function<void(std::string_view line)> key_log = {};
};

// What was agreed on with the peer.
struct TlsInfo {
  std::string version = {};      // "TLSv1.3"
  std::string cipher = {};       // "TLS_AES_128_GCM_SHA256"
  std::string protocol = {};     // by ALPN; may be empty
  std::string server_name = {};  // by SNI; may be empty
  bool resumed = false;
  // The peer's certificate: its subject in the form of RFC 2253 and the SHA-256 of its DER form in
  // hex digits; empty without one. Whether it was verified is a matter of the context's options.
  std::string peer_subject = {};
  std::string peer_fingerprint = {};
};

class TERN_API TlsContext {
 public:
  virtual ~TlsContext() = default;
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  virtual bool is_server() const = 0;
  // Replaces what new connections present; those that stand keep what they have, and tickets stay
  // good. On failure it throws and nothing has changed. REQUIRES a server's context.
  virtual void set_identities(std::vector<TlsIdentity> identities) = 0;

  // Internal: the filter of one connection. `peer_name` is whom a client expects: a host name or a
  // numeric address. Throws std::bad_alloc.
  virtual std::unique_ptr<tls::Filter> make_filter(const std::string& peer_name) = 0;

 protected:
  TlsContext() = default;
};

// Throw std::system_error; with errc::operation_not_supported in a build without TLS.
TERN_API std::shared_ptr<TlsContext> make_tls_server(const TlsServerOptions& options);
TERN_API std::shared_ptr<TlsContext> make_tls_client(const TlsClientOptions& options = {});

// The engine and its version, "OpenSSL 3.0.19"; empty in a build without TLS.
TERN_API std::string tls_engine();
// Reasons of the engine: "certificate verify failed", "wrong version number", ...
TERN_API const std::error_category& tls_category() noexcept;

}  // namespace tern
