#include <algorithm>

#include "src/core/server/server_state.hpp"

namespace tern {

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

Server::Worker& Server::State::least_loaded() {
  return **std::min_element(workers.begin(), workers.end(),
                            [](const auto& left, const auto& right) {
                              return left->connections.load(std::memory_order_relaxed) <
                                     right->connections.load(std::memory_order_relaxed);
                            });
}

}  // namespace tern
