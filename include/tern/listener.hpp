// Listener: takes connections on one endpoint and gives each to a protocol.
//
//   OWNERSHIP  The caller's object; it may be destroyed while its connections live on. The protocol
//              and the limits must outlive the connections.
//   THREAD     The reactor's only.
//   ERRORS     The constructor throws std::system_error (`listen tcp://127.0.0.1:80: permission
//              denied`). Afterwards nothing throws:
//              - out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): accepting rests
//                for `retry_delay`, then goes on; counted in Counters::refused;
//              - a client that vanished before it was accepted is skipped;
//              - above `connections_max` a client is accepted and reset at once, so that it learns
//                it immediately; counted in Counters::refused.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <system_error>

#include "tern/connection.hpp"
#include "tern/endpoint.hpp"
#include "tern/export.hpp"
#include "tern/reactor.hpp"
#include "tern/socket_options.hpp"

namespace tern {

class Acceptor;

struct ListenerOptions {
  ListenOptions listen;
  // Connections speak TLS with this server's context; null: plain.
  std::shared_ptr<TlsContext> tls;
  // Connections of this listener alive at once.
  std::size_t connections_max = 1'000'000;
  // How long accepting rests when the system has no room for another connection.
  Duration retry_delay = std::chrono::milliseconds(100);
  // Told about errors of the kernel while accepting, at most once each retry_delay.
  std::function<void(const std::error_code&)> accept_failed;
};

class TERN_API Listener {
 public:
  Listener(Reactor& reactor, const Endpoint& endpoint, Protocol& protocol, const Limits& limits,
           const ListenerOptions& options = {});
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Where it listens; with port 0 asked, the port the kernel chose.
  Endpoint local() const;
  // Stops listening at once; accepted connections live on. Idempotent.
  void close();

 private:
  Acceptor* acceptor_;  // dies with its last completion, not with the listener
};

}  // namespace tern
