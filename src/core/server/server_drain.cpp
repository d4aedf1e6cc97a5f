#include <algorithm>

#include "src/core/server/server_state.hpp"

namespace tern {

void Server::drain(Duration timeout) {
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->life == Life::stopped) return;
    if (state_->life == Life::running) state_->enter(Life::draining);
    if (state_->life == Life::assembled) state_->is_drained_early = true;
  }
  for (auto& worker : state_->workers) {
    worker->reactor.post([&worker = *worker, timeout] { worker.drain(timeout); });
  }
}

void Server::Worker::drain(Duration timeout) {
  if (draining) return;
  draining = true;
  for (Acceptor* acceptor : std::vector(acceptors)) {
    acceptor->drain([this, acceptor] {
      std::erase(acceptors, acceptor);
      state.acceptor_closed();
    });
  }
  for (DatagramSocket* socket : datagram_sockets) socket->close();
  datagram_sockets.clear();
  reactor.core().connection_died = [this] { stop_when_empty(); };
  deadline_timer.arm_after(reactor, timeout);
  end_idle_connections();
  stop_when_empty();
}

// No event says that a client wants nothing more, so a connection that has nothing queued and was
// silent for `drain_quiet` is taken to be done.
void Server::Worker::end_idle_connections() {
  // Every connection was ended when the drain's time was over. One that lives was opened since, by
  // a closed() that connects again; it is not waited for.
  if (takes_nobody) return reactor.stop();
  const Time now = reactor.now();
  const Duration quiet = state.options.drain_quiet;
  reactor.core().connections.for_each([&](ConnectionImpl& connection) {
    const bool silent = now - connection.last_activity() >= quiet;
    if (silent && connection.queued_bytes() == 0) connection.close();
  });
  quiet_timer.arm_after(reactor, std::max<Duration>(quiet / 4, std::chrono::milliseconds(1)));
}

void Server::Worker::end_all_connections() {
  takes_nobody = true;
  for (Acceptor* acceptor : std::vector(acceptors)) acceptor->close();
  reactor.core().connections.for_each([](ConnectionImpl& connection) {
    connection.terminate(CloseReason::drain_timeout, {}, true);
  });
  quiet_timer.arm_after(reactor, std::chrono::milliseconds(100));
}

// `connections` includes sockets that another reactor's listener has posted to this one and that
// have not arrived yet.
void Server::Worker::stop_when_empty() {
  if (draining && state.open_acceptors == 0 && connections == 0 &&
      reactor.core().connections.size() == 0) {
    reactor.stop();
  }
}

void Server::State::acceptor_closed() {
  if (--open_acceptors > 0) return;
  for (const auto& worker : workers) {
    worker->reactor.post([&worker = *worker] { worker.stop_when_empty(); });
  }
}

}  // namespace tern
