// A build without TLS: what would make a context says so.
#include "tern/tls_certificates.hpp"

namespace tern {
namespace {

[[noreturn]] void refuse() {
  throw std::system_error(
      std::make_error_code(std::errc::operation_not_supported),
      "this build has no TLS; build with -Dtls=enabled, which needs OpenSSL 3.0 or newer");
}

}  // namespace

std::shared_ptr<TlsContext> make_tls_server(const TlsServerOptions&) { refuse(); }
std::shared_ptr<TlsContext> make_tls_client(const TlsClientOptions&) { refuse(); }
TlsIdentity make_tls_authority(const TlsCertificateRequest&) { refuse(); }
TlsIdentity make_tls_leaf(const TlsIdentity&, const TlsCertificateRequest&) { refuse(); }
TlsIdentity make_tls_leaf(const TlsCertificateRequest&) { refuse(); }
std::string tls_fingerprint(std::string_view) { refuse(); }
std::string tls_engine() { return {}; }
const std::error_category& tls_category() noexcept { return std::generic_category(); }

}  // namespace tern
