#include "tern/server.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "src/core/datagram/datagram_socket.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "src/core/server/acceptor.hpp"

namespace tern {
namespace {

// This system has several sockets on a port but gives all that comes to one of them.
bool is_not_balanced(const std::system_error& error) {
  return error.code() == std::errc::operation_not_supported;
}

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

// Workers share a port by SO_REUSEPORT, which would let another process of the same user share it
// as well, and take a part of our clients. Binding it once without that option finds out.
template <class Open>
void check_unshared(const Endpoint& endpoint, const SocketOptions& options, const Open& open) {
  const bool may_be_shared = options.reuse_port;
  if (endpoint.port() != 0 && !may_be_shared) Poller::Sockets::close(open());
}

}  // namespace

// One reactor, its thread, and what it serves. Except for `connections` and `ended`, only its
// thread touches it after start().
struct Server::Worker final : ConnectionSource {
  Worker(State& server_state, const ReactorOptions& options);

  // Counts a connection that is on its way here, for the next one is given by that number. False:
  // it would be one too many. Any thread.
  bool expect_connection();
  // REQUIRES expect_connection() was true.
  void serve(Socket socket, Protocol& protocol, const std::shared_ptr<TlsContext>& tls);
  void connection_gone() override { connections.fetch_sub(1, std::memory_order_relaxed); }
  void drain(Duration timeout);
  void end_idle_connections();
  void end_all_connections();
  void stop_when_empty();

  State& state;
  std::vector<Acceptor*> acceptors;
  std::vector<DatagramSocket*> datagram_sockets;
  std::atomic<std::size_t> connections{0};  // those on their way here included
  std::thread thread;
  bool ended = false;  // under State::mutex
  bool draining = false;
  bool takes_nobody = false;  // the drain's time is over
  CallbackTimer quiet_timer;
  CallbackTimer deadline_timer;
  // Declared last, destroyed first: it tells of each connection that it still has to end.
  Reactor reactor;
};

struct Server::State {
  explicit State(const ServerOptions& server_options) : options(server_options) {}

  Acceptor* add_acceptor(Worker& worker, const Endpoint& endpoint, bool reuse_port,
                         Acceptor::Accepted accepted);
  // A listener of the first worker, which gives each connection to the least loaded; `served` holds
  // a protocol for each worker. Returns where it listens.
  Endpoint listen_with_first(const Endpoint& endpoint, const std::vector<Protocol*>& served,
                             const std::shared_ptr<TlsContext>& tls);
  // A listener of every worker on one port.
  Endpoint listen_with_each(const Endpoint& endpoint, const std::vector<Protocol*>& served,
                            const std::shared_ptr<TlsContext>& tls);
  // More connections than allowed, those on their way counted.
  bool is_overfull() const;
  Worker& least_loaded();
  void acceptor_closed();

  ServerOptions options;
  // Protocols are declared first: closed() is called while the reactors are destroyed.
  std::vector<std::unique_ptr<Protocol>> protocols;
  std::vector<std::unique_ptr<DatagramProtocol>> datagram_protocols;
  std::vector<std::unique_ptr<Worker>> workers;
  bool started = false;
  std::atomic<std::size_t> open_acceptors{0};
  std::mutex mutex;
  std::condition_variable changed;
};

// What one listen() opens; if it fails on the way, all that is closed again.
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
  listener.listen.socket.reuse_port |= reuse_port;
  auto* acceptor = new Acceptor(worker.reactor.core(), endpoint, listener, std::move(accepted));
  worker.acceptors.push_back(acceptor);
  ++open_acceptors;
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

Endpoint Server::listen(const Endpoint& endpoint, const ProtocolFactory& factory,
                        std::shared_ptr<TlsContext> tls) {
  State& state = *state_;
  if (tls == nullptr) tls = state.options.listener.tls;
  assert(!state.started);
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
  Worker& first = *workers.front();
  const auto hand_over = [this, &first, served, tls](Socket socket) {
    Worker& target = least_loaded();
    std::size_t index = 0;
    while (workers[index].get() != &target) ++index;
    Protocol& protocol = *served[index];
    if (!target.expect_connection()) return refuse_socket(first.reactor.core(), socket);
    if (&target == &first) return first.serve(socket, protocol, tls);
    target.reactor.post([&target, &protocol, tls, handed = HandedSocket(socket)]() mutable {
      target.serve(handed.take(), protocol, tls);
    });
  };
  return add_acceptor(first, endpoint, false, hand_over)->local();
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
  assert(!state.started);
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
