// Acceptor: a listening socket on a reactor, and the rest it takes when there is no room. What
// becomes of an accepted socket is its user's business: Listener makes a connection, Server may
// hand it to another reactor. Not installed.
//
//   OWNERSHIP  Made with new; close() lets it go, and it dies with the channel's last completion.
#pragma once

#include <functional>

#include "backends/poller.hpp"
#include "src/core/connection/connection.hpp"
#include "tern/listener.hpp"
#include "tern/timer.hpp"

namespace tern {

class Acceptor final : public Owner, public Timer, public ConnectionSource {
 public:
  using Accepted = std::function<void(Socket)>;

  // Throws as open_listener().
  Acceptor(Reactor::Core& core, const Endpoint& endpoint, const ListenerOptions& options,
           Accepted accepted);
  ~Acceptor() override;

  Endpoint local() const { return local_; }
  // `accepted` is not called any more. Dies later, also after connections made from it.
  void close();
  // Takes in those who have connected already, for closing would reset them, then closes and calls
  // `done`. At the latest when as many have come as may have been waiting.
  void drain(std::function<void()> done);

  // Makes a connection of `socket` on this acceptor's reactor, up to ListenerOptions'
  // connections_max.
  void serve(Socket socket, Protocol& protocol, const Limits& limits);

 private:
  void completed(const Completion& completion) override;
  void fire() override;
  void connection_gone() override;
  void on_accept_error(const std::error_code& error);
  void die_if_unused();

  Reactor::Core* core_;
  ListenerOptions options_;
  Accepted accepted_;
  Endpoint local_;
  Channel channel_;
  std::size_t connections_ = 0;
  std::function<void()> drain_done_;  // set while draining
  int taken_in_ = 0;                  // while draining
  bool closed_ = false;
};

// A bound listener. Throws std::system_error with a message that names the endpoint.
Socket open_listener(const Endpoint& endpoint, const ListenOptions& options);

// Resets an accepted socket at once, so that the client learns it immediately; counts it.
void refuse_socket(Reactor::Core& core, Socket socket);

// Makes a connection of an accepted socket, with `tls` unless that is null; on failure the socket
// is closed and it is counted.
bool serve_socket(Reactor::Core& core, Socket socket, Protocol& protocol, const Limits& limits,
                  ConnectionSource* source, const std::shared_ptr<TlsContext>& tls);

}  // namespace tern
