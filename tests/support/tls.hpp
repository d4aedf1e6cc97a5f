// Certificates and contexts for tests: made once in a process, in memory.
#pragma once

#include <memory>
#include <string>

#include "tern/tls.hpp"
#include "tern/tls_certificates.hpp"

namespace tern::test {

inline const TlsIdentity& test_authority() {
  static const TlsIdentity authority = make_tls_authority({.common_name = "test authority"});
  return authority;
}

inline TlsIdentity test_leaf(const std::vector<std::string>& hosts) {
  return make_tls_leaf(test_authority(), {.hosts = hosts});
}

inline TlsServerOptions test_server_options() {
  static const TlsIdentity leaf = test_leaf({"localhost", "127.0.0.1", "::1"});
  TlsServerOptions options;
  options.identities = {leaf};
  return options;
}

inline TlsClientOptions test_client_options() {
  TlsClientOptions options;
  options.authorities_pem = test_authority().certificate_pem;
  return options;
}

}  // namespace tern::test
