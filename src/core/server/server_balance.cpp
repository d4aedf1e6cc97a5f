#include <algorithm>
#include <utility>

#include "src/core/server/server_state.hpp"

namespace tern {
namespace {

// An accepted socket on its way to another reactor, which may end before it arrives.
class HandedSocket {
 public:
  explicit HandedSocket(Socket socket) : socket_(socket) {}
  HandedSocket(HandedSocket&& other) noexcept : socket_(std::exchange(other.socket_, {})) {}
  HandedSocket(const HandedSocket&) = delete;
  HandedSocket& operator=(const HandedSocket&) = delete;
  ~HandedSocket() {
    if (socket_.valid()) Poller::Sockets::close(socket_);
  }
  Socket take() { return std::exchange(socket_, {}); }

 private:
  Socket socket_;
};

}  // namespace

bool Server::Worker::expect_connection() {
  connections.fetch_add(1, std::memory_order_relaxed);
  if (!state.is_overfull()) return true;
  connection_gone();
  return false;
}

void Server::Worker::serve(Socket socket, Protocol& protocol,
                           const std::shared_ptr<TlsContext>& tls) {
  if (takes_nobody) {
    refuse_socket(reactor.core(), socket);
  } else if (serve_socket(reactor.core(), socket, protocol, state.options.limits, this, tls)) {
    return;
  }
  connection_gone();
  stop_when_empty();
}

bool Server::State::is_overfull() const {
  std::size_t total = 0;
  for (const auto& worker : workers) total += worker->connections.load(std::memory_order_relaxed);
  return total > options.listener.connections_max;
}

std::size_t Server::State::least_loaded() const {
  const auto least =
      std::min_element(workers.begin(), workers.end(), [](const auto& left, const auto& right) {
        return left->connections.load(std::memory_order_relaxed) <
               right->connections.load(std::memory_order_relaxed);
      });
  return static_cast<std::size_t>(least - workers.begin());
}

void Server::State::hand_over(Socket socket, const std::vector<Protocol*>& served,
                              const std::shared_ptr<TlsContext>& tls) {
  const std::size_t index = least_loaded();
  Worker& first = *workers.front();
  Worker& target = *workers[index];
  Protocol& protocol = *served[index];
  if (!target.expect_connection()) return refuse_socket(first.reactor.core(), socket);
  if (index == 0) return first.serve(socket, protocol, tls);
  target.reactor.post([&target, &protocol, tls, handed = HandedSocket(socket)]() mutable {
    target.serve(handed.take(), protocol, tls);
  });
}

}  // namespace tern
