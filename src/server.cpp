#include "tern/server.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "src/acceptor.hpp"
#include "src/datagram_socket.hpp"
#include "src/reactor_core.hpp"

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

// One reactor, its thread, and what it serves. Except for `connections` and `ended`, only its
// thread touches it after start().
struct Server::Worker final : ConnectionSource {
  Worker(State& server_state, const ReactorOptions& options);

  // Counts a connection that is on its way here, for the next one is given by that number. False:
  // it would be one too many. Any thread.
  bool expect_connection();
  // REQUIRES expect_connection() was true.
  void serve(Socket socket, Protocol& protocol);
  void connection_gone() override { connections.fetch_sub(1, std::memory_order_relaxed); }
  void drain(Duration timeout);
  void end_idle_connections();
  void end_all_connections();
  void stop_when_empty();

  State& state;
  std::vector<Acceptor*> acceptors;
  std::vector<DatagramSocket*> datagram_sockets;
  std::atomic<std::size_t> connections{0};
  std::thread thread;
  bool ended = false;  // under State::mutex
  bool draining = false;
  CallbackTimer quiet_timer;
  CallbackTimer deadline_timer;
  // Declared last, destroyed first: it tells of each connection that it still has to end.
  Reactor reactor;
};

struct Server::State {
  explicit State(const ServerOptions& server_options) : options(server_options) {}

  Acceptor* add_acceptor(Worker& worker, const Endpoint& endpoint, bool reuse_port,
                         Acceptor::Accepted accepted);
  // More connections than allowed, those on their way counted.
  bool is_overfull() const;
  Worker& least_loaded();

  ServerOptions options;
  // Protocols are declared first: closed() is called while the reactors are destroyed.
  std::vector<std::unique_ptr<Protocol>> protocols;
  std::vector<std::unique_ptr<DatagramProtocol>> datagram_protocols;
  std::vector<std::unique_ptr<Worker>> workers;
  bool started = false;
  std::mutex mutex;
  std::condition_variable changed;
};

Server::Worker::Worker(State& server_state, const ReactorOptions& options)
    : state(server_state),
      quiet_timer([this] { end_idle_connections(); }),
      deadline_timer([this] { end_all_connections(); }),
      reactor(options) {}

bool Server::Worker::expect_connection() {
  connections.fetch_add(1, std::memory_order_relaxed);
  if (!state.is_overfull()) return true;
  connection_gone();
  return false;
}

void Server::Worker::serve(Socket socket, Protocol& protocol) {
  if (draining) {
    connection_gone();
    return refuse_socket(reactor.core(), socket);
  }
  if (!serve_socket(reactor.core(), socket, protocol, state.options.limits, this)) {
    connection_gone();
  }
}

void Server::Worker::drain(Duration timeout) {
  if (draining) return;
  draining = true;
  for (Acceptor* acceptor : acceptors) acceptor->close();
  acceptors.clear();
  for (DatagramSocket* socket : datagram_sockets) socket->close();
  datagram_sockets.clear();
  reactor.core().connection_died = [this] { stop_when_empty(); };
  deadline_timer.arm_after(reactor, timeout);
  end_idle_connections();
  stop_when_empty();
}

// Nothing tells when a client has said all it wanted; silence is taken for it.
void Server::Worker::end_idle_connections() {
  const Time now = reactor.now();
  const Duration quiet = state.options.drain_quiet;
  reactor.core().connections.for_each([&](ConnectionImpl& connection) {
    const bool silent = now - connection.last_activity() >= quiet;
    if (silent && connection.queued_bytes() == 0) connection.close();
  });
  quiet_timer.arm_after(reactor, std::max<Duration>(quiet / 4, std::chrono::milliseconds(1)));
}

void Server::Worker::end_all_connections() {
  reactor.core().connections.for_each(
      [](ConnectionImpl& connection) { connection.end(CloseReason::drain_timeout, {}, true); });
}

void Server::Worker::stop_when_empty() {
  if (reactor.core().connections.size() == 0) reactor.stop();
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

Acceptor* Server::State::add_acceptor(Worker& worker, const Endpoint& endpoint, bool reuse_port,
                                      Acceptor::Accepted accepted) {
  ListenerOptions listener = options.listener;
  listener.listen.socket.reuse_port = reuse_port;
  auto* acceptor = new Acceptor(worker.reactor.core(), endpoint, listener, std::move(accepted));
  worker.acceptors.push_back(acceptor);
  return acceptor;
}

Server::Server(const ServerOptions& options) : state_(std::make_unique<State>(options)) {
  if (options.workers < 1 || options.workers > 1024) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "workers must be 1 to 1024, not " + std::to_string(options.workers));
  }
  for (unsigned i = 0; i < options.workers; ++i) {
    state_->workers.push_back(std::make_unique<Worker>(*state_, options.reactor));
  }
}

Server::~Server() {
  stop();
  join();
}

Endpoint Server::listen(const Endpoint& endpoint, const ProtocolFactory& factory) {
  State& state = *state_;
  assert(!state.started);
  std::vector<Protocol*> protocols;
  for (auto& worker : state.workers) {
    state.protocols.push_back(factory(worker->reactor));
    protocols.push_back(state.protocols.back().get());
  }
  const bool by_kernel = state.options.balance == Balance::kernel && state.workers.size() > 1 &&
                         endpoint.family() != Family::local;
  Worker& first = *state.workers.front();
  if (!by_kernel) {
    const auto hand_over = [&state, &first, protocols](Socket socket) {
      Worker& target = state.least_loaded();
      std::size_t index = 0;
      while (state.workers[index].get() != &target) ++index;
      Protocol& protocol = *protocols[index];
      if (!target.expect_connection()) return refuse_socket(first.reactor.core(), socket);
      if (&target == &first) return first.serve(socket, protocol);
      target.reactor.post([&target, &protocol, handed = HandedSocket(socket)]() mutable {
        target.serve(handed.take(), protocol);
      });
    };
    return state.add_acceptor(first, endpoint, false, hand_over)->local();
  }
  Endpoint bound = endpoint;
  for (std::size_t i = 0; i < state.workers.size(); ++i) {
    Worker& worker = *state.workers[i];
    const auto serve = [&worker, protocol = protocols[i]](Socket socket) {
      if (!worker.expect_connection()) return refuse_socket(worker.reactor.core(), socket);
      worker.serve(socket, *protocol);
    };
    // The first one settles the port; the others share it.
    bound = state.add_acceptor(worker, bound, true, serve)->local();
  }
  return bound;
}

Endpoint Server::listen_datagrams(const Endpoint& endpoint,
                                  const DatagramProtocolFactory& factory) {
  State& state = *state_;
  assert(!state.started);
  const bool by_kernel = state.options.balance == Balance::kernel && state.workers.size() > 1;
  SocketOptions options = state.options.listener.listen.socket;
  options.reuse_port = by_kernel;
  Endpoint bound = endpoint;
  for (auto& worker : state.workers) {
    state.datagram_protocols.push_back(factory(worker->reactor));
    DatagramSocket& socket =
        DatagramSocket::open(worker->reactor, *state.datagram_protocols.back(), bound, {}, options);
    worker->datagram_sockets.push_back(&socket);
    bound = socket.local();
    if (!by_kernel) break;
  }
  return bound;
}

void Server::start() {
  State& state = *state_;
  assert(!state.started);
  state.started = true;
  for (auto& worker : state.workers) {
    worker->thread = std::thread([&state, &worker = *worker] {
      worker.reactor.run();
      const std::scoped_lock lock(state.mutex);
      worker.ended = true;
      state.changed.notify_all();
    });
  }
}

void Server::join() {
  for (auto& worker : state_->workers) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Server::drain(Duration timeout) {
  for (auto& worker : state_->workers) {
    worker->reactor.post([&worker = *worker, timeout] { worker.drain(timeout); });
  }
}

void Server::stop() {
  for (auto& worker : state_->workers) worker->reactor.stop();
}

std::vector<Counters> Server::counters() {
  State& state = *state_;
  // Shared with the tasks: a reactor may stop before it has answered, and drop its task later.
  struct Answers {
    std::vector<Counters> counters;
    std::vector<bool> given;
  };
  const auto answers = std::make_shared<Answers>();
  answers->counters.resize(state.workers.size());
  answers->given.resize(state.workers.size());
  for (std::size_t i = 0; state.started && i < state.workers.size(); ++i) {
    state.workers[i]->reactor.post([&state, answers, i, &worker = *state.workers[i]] {
      const std::scoped_lock lock(state.mutex);
      answers->counters[i] = worker.reactor.counters();
      answers->given[i] = true;
      state.changed.notify_all();
    });
  }
  for (std::size_t i = 0; i < state.workers.size(); ++i) {
    Worker& worker = *state.workers[i];
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return !state.started || answers->given[i] || worker.ended; });
    if (!answers->given[i]) answers->counters[i] = worker.reactor.counters();
  }
  return answers->counters;
}

std::vector<std::size_t> Server::connections() const {
  std::vector<std::size_t> counts;
  for (const auto& worker : state_->workers) {
    counts.push_back(worker->connections.load(std::memory_order_relaxed));
  }
  return counts;
}

}  // namespace tern
