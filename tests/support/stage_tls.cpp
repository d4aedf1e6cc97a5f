// Connections of a Stage speak TLS.
#include "tests/support/stage.hpp"
#include "tests/support/tls.hpp"

namespace tern::test {

void secure(ListenerOptions& listener, ConnectOptions& connector) {
  static const auto server_context = make_tls_server(test_server_options());
  static const auto client_context = make_tls_client(test_client_options());
  listener.tls = server_context;
  connector.tls = client_context;
}

}  // namespace tern::test
