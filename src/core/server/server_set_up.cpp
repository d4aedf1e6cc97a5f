#include <utility>

#include "src/core/server/server_state.hpp"

namespace tern {
namespace {

// This system has several sockets on a port but gives all that comes to one of them.
bool is_not_balanced(const std::system_error& error) {
  return error.code() == std::errc::operation_not_supported;
}

// Workers share a port by SO_REUSEPORT, which would let another process of the same user share it
// as well, and take a part of our clients. Binding it once without that option finds out.
template <class Open>
void check_unshared(const Endpoint& endpoint, const SocketOptions& options, const Open& open) {
  const bool may_be_shared = options.reuse_port;
  if (endpoint.port() != 0 && !may_be_shared) Poller::Sockets::close(open());
}

}  // namespace

// What one listen() opens; if it fails on the way, all that is closed again. Either way the numbers
// are kept.
class Server::SetUp {
 public:
  explicit SetUp(State& state) : state_(state) {
    for (const auto& worker : state.workers) {
      before_.push_back({worker->acceptors.size(), worker->datagram_sockets.size()});
    }
  }
  SetUp(const SetUp&) = delete;
  SetUp& operator=(const SetUp&) = delete;
  ~SetUp() {
    for (std::size_t i = 0; !is_complete && i < before_.size(); ++i) {
      Worker& worker = *state_.workers[i];
      for (; worker.acceptors.size() > before_[i].acceptors; worker.acceptors.pop_back()) {
        worker.acceptors.back()->close();
        --state_.open_acceptors;
      }
      auto& sockets = worker.datagram_sockets;
      for (; sockets.size() > before_[i].datagram_sockets; sockets.pop_back()) {
        sockets.back()->close();
      }
    }
    state_.keep_counters();
  }

  bool is_complete = false;

 private:
  struct Counts {
    std::size_t acceptors;
    std::size_t datagram_sockets;
  };

  State& state_;
  std::vector<Counts> before_;
};

Acceptor* Server::State::add_acceptor(Worker& worker, const Endpoint& endpoint, bool reuse_port,
                                      Acceptor::Accepted accepted) {
  ListenerOptions listener = options.listener;
  listener.listen.socket.reuse_port |= reuse_port;
  auto* acceptor = new Acceptor(worker.reactor.core(), endpoint, listener, std::move(accepted));
  worker.acceptors.push_back(acceptor);
  ++open_acceptors;
  return acceptor;
}

Endpoint Server::listen(const Endpoint& endpoint, const ProtocolFactory& factory,
                        std::shared_ptr<TlsContext> tls) {
  State& state = *state_;
  state.require_assembled("listen() on " + endpoint.to_string());
  if (tls == nullptr) tls = state.options.listener.tls;
  std::vector<Protocol*> protocols;
  for (auto& worker : state.workers) {
    state.protocols.push_back(factory(worker->reactor));
    protocols.push_back(state.protocols.back().get());
  }
  const bool by_kernel = state.options.balance == Balance::kernel && state.workers.size() > 1 &&
                         endpoint.family() != Family::local;
  if (by_kernel) {
    check_unshared(endpoint, state.options.listener.listen.socket,
                   [&] { return open_listener(endpoint, state.options.listener.listen); });
    try {
      return state.listen_with_each(endpoint, protocols, tls);
    } catch (const std::system_error& error) {
      if (!is_not_balanced(error)) throw;
    }
  }
  return state.listen_with_first(endpoint, protocols, tls);
}

Endpoint Server::State::listen_with_first(const Endpoint& endpoint,
                                          const std::vector<Protocol*>& served,
                                          const std::shared_ptr<TlsContext>& tls) {
  const auto hand_on = [this, served, tls](Socket socket) { hand_over(socket, served, tls); };
  SetUp made(*this);
  const Endpoint bound = add_acceptor(*workers.front(), endpoint, false, hand_on)->local();
  made.is_complete = true;
  return bound;
}

Endpoint Server::State::listen_with_each(const Endpoint& endpoint,
                                         const std::vector<Protocol*>& served,
                                         const std::shared_ptr<TlsContext>& tls) {
  Endpoint bound = endpoint;
  SetUp made(*this);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    Worker& worker = *workers[i];
    const auto serve = [&worker, protocol = served[i], tls](Socket socket) {
      if (!worker.expect_connection()) return refuse_socket(worker.reactor.core(), socket);
      worker.serve(socket, *protocol, tls);
    };
    // The first one settles the port; the others share it.
    bound = add_acceptor(worker, bound, true, serve)->local();
  }
  made.is_complete = true;
  return bound;
}

Endpoint Server::listen_datagrams(const Endpoint& endpoint,
                                  const DatagramProtocolFactory& factory) {
  State& state = *state_;
  state.require_assembled("listen_datagrams() on " + endpoint.to_string());
  SocketOptions options = state.options.listener.listen.socket;
  bool by_kernel = state.options.balance == Balance::kernel && state.workers.size() > 1;
  if (by_kernel) {
    check_unshared(endpoint, options, [&] { return open_datagram(endpoint, {}, options); });
  }
  const bool shared_anyway = options.reuse_port;
  options.reuse_port |= by_kernel;
  Endpoint bound = endpoint;
  SetUp made(state);
  for (auto& worker : state.workers) {
    state.datagram_protocols.push_back(factory(worker->reactor));
    DatagramProtocol& protocol = *state.datagram_protocols.back();
    const auto open = [&] {
      return &DatagramSocket::open(worker->reactor, protocol, bound, {}, options);
    };
    DatagramSocket* socket = nullptr;
    try {
      socket = open();
    } catch (const std::system_error& error) {
      if (!by_kernel || shared_anyway || !is_not_balanced(error)) throw;
      options.reuse_port = by_kernel = false;
      socket = open();
    }
    worker->datagram_sockets.push_back(socket);
    bound = socket->local();
    if (!by_kernel) break;
  }
  made.is_complete = true;
  return bound;
}

}  // namespace tern
