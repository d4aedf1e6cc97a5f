// Network: a seeded network in memory with its own time. Pollers made while it is the current one
// live on it; a whole conversation, clients and servers, runs in one thread.
//
//     Network ─┬─ clock and agenda, seeded choices, transcript        simulation.hpp
//              ├─ streams by two pipes, listeners                     stream.hpp, pipe.hpp
//              ├─ datagram sockets                                    datagram.hpp
//              ├─ who is bound where                                  address_book.hpp
//              └─ its pollers, which are stepped in turn              simulated.hpp
//
//   tern::simulated::Network network(seed, tern::simulated::Faults::rough());
//   tern::Poller client{PollerOptions{}}, server{PollerOptions{}};    // both on it
//   ... wait() and next() of both, in turn; the same seed and calls give the same transcript() ...
//
//   THREAD  one thread, but for Poller::wake(). Each thread has its own current network.
//   1  The one made last is current() until it is destroyed; networks nest. Without one there is a
//      default network of the thread: seed 1, no faults, readiness, and it allows blocking waits.
//   2  Its pollers are destroyed before it.
//
// Names and addresses beyond this machine (which has 127.0.0.0/8, 10.0.0.0/8, ::1, Unix paths):
//   192.0.2.0/24 refuses, 198.51.100.0/24 is unreachable, 203.0.113.0/24 is silent; everything else
//   has no route. "localhost" is 127.0.0.1 and ::1, "two.sim" is 192.0.2.1 and 127.0.0.1, every
//   other name is unknown.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/simulated/address_book.hpp"
#include "backends/simulated/datagram.hpp"
#include "backends/simulated/stream.hpp"

namespace tern::simulated {

class Network {
 public:
  explicit Network(std::uint64_t seed, const Faults& faults = Faults::none(),
                   Style style = Style::any);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  static Network& current();

  // --- for tests

  std::uint64_t seed() const { return seed_; }
  Faults& faults() { return simulation_.faults; }
  Time now() const { return simulation_.now(); }
  // Its pollers behave like a completion kernel: sends_later() is true.
  bool completes() const { return simulation_.completes(); }
  // With this a wait that has nothing before it gives other threads real time to call wake(): a
  // hundredth of its limit before it jumps there (5 ms to 1 s, never more than the limit), 10 s
  // where there is no limit. Otherwise (the default) a wait never sleeps, and wait(forever) with
  // nothing before it returns with nothing.
  void allow_blocking_waits(bool allowed) { blocks_ = allowed; }
  bool allows_blocking_waits() const { return blocks_; }
  // A number over every call and completion so far.
  std::uint64_t transcript() const { return simulation_.transcript(); }
  // Sockets that somebody must still close, attached or not.
  std::size_t open_sockets() const { return open_sockets_; }
  // Connects, sends and closes that were ordered and have not completed, over all pollers.
  std::size_t pending_operations() const;
  // Messages under way and other things that will happen by themselves.
  std::size_t events() const { return simulation_.events(); }

  // --- for Sockets and Poller

  Simulation& simulation() { return simulation_; }
  // Gives an object the lowest free handle. Sets too_many_files_open at Faults::sockets_max.
  Socket open(std::shared_ptr<Object> object, std::error_code& error);
  // Nothing for a socket that is not open.
  std::shared_ptr<Object> object(Socket socket) const;
  void close(const std::shared_ptr<Object>& object);

  AddressBook& book(SocketKind kind) {
    return kind == SocketKind::datagram ? datagrams_ : streams_;
  }
  void bind(Object& object, const Endpoint& wish, BindRules rules, std::error_code& error);
  // Begins to connect: the stream's state changes when the answer is there.
  void connect(const std::shared_ptr<Stream>& stream, const Endpoint& to);
  Socket accept(Listener& listener, std::error_code& error);
  // Sends one datagram, or says why the kernel refuses it.
  std::error_code send(DatagramSocket& from, const Datagram& datagram);
  // Binds a datagram socket to an address from which `to` can be reached, unless it is bound.
  std::error_code bind_source(DatagramSocket& socket, const Endpoint& to);

  void enter(Participant& participant) { participants_.push_back(&participant); }
  void leave(const Participant& participant);
  std::span<Participant* const> participants() const { return participants_; }

 private:
  struct Default {};
  explicit Network(Default);

  void fail(const std::weak_ptr<Stream>& stream, std::errc why, Duration after);
  void ask(const std::weak_ptr<Stream>& stream, int attempt);
  void answer(const std::shared_ptr<Stream>& stream, Listener& listener);
  void opened_after(Duration delay, const std::weak_ptr<Stream>& stream);
  void hold(Listener& listener);
  std::errc pick_accept_error();
  void deliver(const std::vector<std::byte>& bytes, const Endpoint& from, const Endpoint& to,
               const std::weak_ptr<DatagramSocket>& sender);

  std::uint64_t seed_;
  Simulation simulation_;
  Network* previous_ = nullptr;
  bool is_default_ = false;
  bool blocks_ = false;
  AddressBook streams_;
  AddressBook datagrams_;
  std::vector<std::shared_ptr<Object>> objects_;  // by handle
  std::set<std::intptr_t> free_handles_;
  std::vector<std::weak_ptr<Listener>> held_listeners_;
  std::size_t open_sockets_ = 0;
  std::vector<Participant*> participants_;
};

// The set-up calls of the contract, on the current network.
struct Sockets {
  // Every name is known here at once.
  static constexpr bool resolve_blocks = false;
  static Socket listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error);
  static Socket stream(Family family, const Endpoint& source, const SocketOptions& options,
                       std::error_code& error);
  static Socket datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error);
  static Endpoint local(Socket socket);
  static Endpoint peer(Socket socket);
  static void reset_on_close(Socket socket);
  static void close(Socket socket);
  static void forget(const Endpoint&) {}  // names without files
  static std::vector<Endpoint> resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error);
};

}  // namespace tern::simulated
