// Server::State and Server::Worker: what the parts of a server share. Not installed.
//
//   server.cpp           its life: constructed, started, stopped, joined, destroyed
//   server_set_up.cpp    what it listens on
//   server_balance.cpp   which worker gets a connection
//   server_drain.cpp     its graceful end
//   server_counters.cpp  its numbers
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/core/datagram/datagram_socket.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "src/core/server/acceptor.hpp"
#include "tern/server.hpp"

namespace tern {

// The drawing in include/tern/server.hpp.
enum class Life : std::uint8_t { assembled, running, draining, stopped };

// One reactor, its thread, and what it serves. Except for `connections`, and what State::mutex
// guards, only its thread touches it after start().
struct Server::Worker final : ConnectionSource {
  Worker(State& server_state, const ReactorOptions& options);

  // Its loop has been left, or will never begin. The last worker to say so stops the server.
  void ended();

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
  bool is_running = false;  // under State::mutex: it answers, or will; if not, this is its answer:
  Counters counted;         // under State::mutex
  bool draining = false;
  bool takes_nobody = false;  // the drain's time is over
  CallbackTimer quiet_timer;
  CallbackTimer deadline_timer;
  // Declared last, destroyed first: it may refer to all the others.
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
  // The index of the worker with the fewest connections.
  std::size_t least_loaded() const;
  // Gives a socket that the first worker has accepted to the least loaded.
  void hand_over(Socket socket, const std::vector<Protocol*>& served,
                 const std::shared_ptr<TlsContext>& tls);
  void acceptor_closed();

  // REQUIRES `mutex` is held.
  void enter(Life next);
  // Throws std::system_error, which begins with `what`, once start() was called.
  void require_assembled(const std::string& what);
  // The numbers as the set-up leaves them. REQUIRES assembled.
  void keep_counters();

  ServerOptions options;
  // Protocols are declared first: they outlive the reactors.
  std::vector<std::unique_ptr<Protocol>> protocols;
  std::vector<std::unique_ptr<DatagramProtocol>> datagram_protocols;
  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<std::size_t> open_acceptors{0};
  // Guards the life, and each worker's part in it. Not held while anything of a user is called.
  std::mutex mutex;
  std::condition_variable changed;  // a worker has ended, or answered
  Life life = Life::assembled;
  bool is_drained_early = false;  // drain() came before start()
};

}  // namespace tern
