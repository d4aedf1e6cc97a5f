// Certificates for development and tests: an authority of one's own and what it signs. Keys are
// ECDSA P-256, or RSA with 2,048 bits where an old peer needs it.
//
//   Plain values, any thread. Throw std::system_error: errc::operation_not_supported in a build
//   without TLS, errc::invalid_argument for what cannot be in a certificate.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tern/export.hpp"
#include "tern/tls.hpp"

namespace tern {

enum class TlsKeyKind : std::uint8_t { ecdsa_p256, rsa_2048 };

struct TlsCertificateRequest {
  // The subject's common name; for a leaf without one, its first host.
  std::string common_name = {};
  // Names and numeric addresses that a leaf is good for; the first label may be `*`.
  std::vector<std::string> hosts = {};
  TlsKeyKind key = TlsKeyKind::ecdsa_p256;
  std::chrono::hours lifetime = std::chrono::hours(24 * 365);
  // A client's certificate instead of a server's.
  bool is_client = false;
};

// An authority that signs itself.
TERN_API TlsIdentity make_tls_authority(const TlsCertificateRequest& request = {});
// A leaf signed by `authority`.
TERN_API TlsIdentity make_tls_leaf(const TlsIdentity& authority,
                                   const TlsCertificateRequest& request);
// A leaf that signs itself, for whoever compares fingerprints.
TERN_API TlsIdentity make_tls_leaf(const TlsCertificateRequest& request);
// The SHA-256 of the first certificate in `pem`, in upper-case hex digits with colons between.
TERN_API std::string tls_fingerprint(std::string_view pem);

}  // namespace tern
