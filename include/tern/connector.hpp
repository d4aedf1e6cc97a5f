// Connector: opens outbound connections.
//
//   A connection exists from the call on, in state `connecting`; its protocol hears opened(), or
//   closed() with reason connect_failed and the last error. abort() cancels.
//   Addresses are tried in order, each until it fails or until the deadline of the whole attempt
//   has passed (errc::timed_out). A connection to itself, which TCP permits on a free local port
//   of the ephemeral range, is refused (errc::connection_refused).
//   Names are resolved by getaddrinfo on a helper thread, never on the loop.
//
//   OWNERSHIP  Only settings; it may be destroyed as soon as connect() returned. The protocol and
//              the limits must outlive the connections.
//   THREAD     The reactor's only.
//   ERRORS     connect() throws nothing but std::bad_alloc: what fails is told by closed().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "tern/connection.hpp"
#include "tern/endpoint.hpp"
#include "tern/export.hpp"
#include "tern/reactor.hpp"
#include "tern/resolve.hpp"
#include "tern/socket_options.hpp"

namespace tern {

struct ConnectOptions {
  SocketOptions socket;
  // For resolving and all addresses together.
  Duration deadline = std::chrono::seconds(10);
  // The local address to connect from, e.g. 127.0.0.2 with port 0; Family::none: the kernel's
  // choice. Beyond 28,000 connections to one endpoint a client needs several of these.
  Endpoint source;
  // Connections speak TLS with this client's context; null: plain. opened() follows the handshake,
  // which has a deadline of its own (Limits::handshake_timeout).
  std::shared_ptr<TlsContext> tls;
  // The name that the peer must prove to have; empty: the host that connect() is given, or the
  // address of its first endpoint.
  std::string tls_name;
};

class TERN_API Connector {
 public:
  Connector(Reactor& reactor, Protocol& protocol, const Limits& limits,
            const ConnectOptions& options = {});

  Connection& connect(const Endpoint& endpoint);
  // REQUIRES at least one endpoint.
  Connection& connect(std::vector<Endpoint> endpoints);
  // `host` is a name or a numeric address without brackets.
  Connection& connect(std::string host, std::uint16_t port);

 private:
  Reactor* reactor_;
  Protocol* protocol_;
  const Limits* limits_;
  ConnectOptions options_;
};

}  // namespace tern
