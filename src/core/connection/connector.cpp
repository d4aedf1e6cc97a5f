#include "tern/connector.hpp"

#include <cassert>

#include "src/core/connection/connect_attempt.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {

Connector::Connector(Reactor& reactor, Protocol& protocol, const Limits& limits,
                     const ConnectOptions& options)
    : reactor_(&reactor), protocol_(&protocol), limits_(&limits), options_(options) {}

namespace {

// For connections begun while their reactor is being destroyed, typically by a closed() that wants
// to connect again: nobody hears of them, so that the destructor comes to an end.
class NobodyListens final : public Protocol {
  void received(Connection&, std::span<const std::byte>) override {}
};

// The address without brackets and port. A Unix socket is on this machine.
std::string address_text(const Endpoint& endpoint) {
  if (!endpoint.is_ip()) return "localhost";
  std::string text = endpoint.to_string();
  text.erase(text.rfind(':'));
  return text.front() == '[' ? text.substr(1, text.size() - 2) : text;
}

ConnectionImpl& begin(Reactor::Core& core, Protocol& protocol, const Limits& limits,
                      const ConnectOptions& options, const std::string& peer_name) {
  static NobodyListens nobody;
  ConnectionImpl& connection = core.connections.make(core, core.ending ? nobody : protocol, limits,
                                                     Connection::State::connecting, nullptr);
  if (options.tls != nullptr) {
    connection.use_tls(options.tls, options.tls_name.empty() ? peer_name : options.tls_name);
  }
  core.attempts.emplace(&connection, std::make_unique<ConnectAttempt>(core, connection, options));
  return connection;
}

}  // namespace

Connection& Connector::connect(const Endpoint& endpoint) {
  return connect(std::vector<Endpoint>{endpoint});
}

Connection& Connector::connect(std::vector<Endpoint> endpoints) {
  assert(!endpoints.empty());
  Reactor::Core& core = reactor_->core();
  const std::string peer_name = options_.tls == nullptr ? "" : address_text(endpoints.front());
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_, peer_name);
  core.attempts.at(&connection)->start(std::move(endpoints));
  return connection;
}

Connection& Connector::connect(std::string host, std::uint16_t port) {
  Reactor::Core& core = reactor_->core();
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_, host);
  core.attempts.at(&connection)->start(std::move(host), port);
  return connection;
}

}  // namespace tern
