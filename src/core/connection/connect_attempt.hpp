// ConnectAttempt: what an outbound connection needs until it is open: its addresses in order, and
// the deadline. The connection owns it, through Core::attempts, and the sockets. Not installed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/poller.hpp"
#include "tern/connector.hpp"
#include "tern/timer.hpp"

namespace tern {

class ConnectionImpl;

class ConnectAttempt final : public Timer {
 public:
  ConnectAttempt(Reactor::Core& core, ConnectionImpl& connection, const ConnectOptions& options);
  ~ConnectAttempt() override;

  void start(std::string host, std::uint16_t port);
  void start(std::vector<Endpoint> endpoints);
  // The socket in use did not connect. try_next() follows when it is closed.
  void failed(const std::error_code& error) { last_error_ = error; }
  // Goes on with the next address, or ends the connection when there is none.
  void try_next();

 private:
  class Asked;

  void fire() override;
  void resolved(std::vector<Endpoint> endpoints, const std::error_code& error);
  bool try_one(const Endpoint& endpoint);

  Reactor::Core* core_;
  ConnectionImpl* connection_;
  ConnectOptions options_;
  std::vector<Endpoint> endpoints_;
  std::size_t next_ = 0;
  std::error_code last_error_;
  std::shared_ptr<Asked> question_;
};

}  // namespace tern
