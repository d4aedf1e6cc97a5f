// Servers: reactors on threads, how connections are spread over them, and how they end. Only on
// kernels: a simulated network belongs to one thread.
#include "tern/server.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <numeric>
#include <thread>

#include "tests/support/stage.hpp"
#include "tests/support/temporary_path.hpp"
#include "tests/unit/core/server_fixture.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// Some systems let many listen on a port and give everything to one of them; tern refuses that.
bool can_share_ports() {
  ServerOptions options;
  options.listener.listen.socket.reuse_port = true;
  try {
    Server(options).listen(loopback(), make_echo);
    return true;
  } catch (const std::system_error& error) {
    REQUIRE(error.code() == std::errc::operation_not_supported);
    return false;
  }
}

// Clients on the test's own thread.
struct Clients {
  Seen& connect(const Endpoint& endpoint) {
    return protocol.adopt(Connector(reactor, protocol, limits).connect(endpoint));
  }
  // Connects that many, and waits until each was served.
  void greet(const Endpoint& endpoint, std::size_t count) {
    protocol.on_opened = [](Connection& connection) { connection.send("hello"); };
    for (std::size_t i = 0; i < count; ++i) connect(endpoint);
    until(
        [&] {
          return std::all_of(protocol.seen.begin(), protocol.seen.end(),
                             [](const Seen& each) { return each.received.size() >= 5; });
        },
        "every greeting");
  }
  template <class Done>
  void until(Done&& done, const char* what) {
    test::until(reactor, done, what);
  }
  void until_all_closed() {
    until([&] { return protocol.closed_count() == protocol.seen.size(); }, "all to close");
  }
  ~Clients() { protocol.forget_callbacks(); }

  Limits limits;
  Recorder protocol;
  Reactor reactor;
};

std::size_t sum(const std::vector<std::size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

Counters sum(const std::vector<Counters>& each) {
  Counters total;
  for (const Counters& one : each) total += one;
  return total;
}

std::uint64_t closed(const Counters& counters, CloseReason reason) {
  return counters.closed[static_cast<std::size_t>(reason)];
}

// The reactors' gauge goes down a moment after the client has seen the end.
void until_connections(const Server& server, Clients& clients, std::size_t count) {
  clients.until(
      [&] {
        clients.reactor.turn(1ms);
        return sum(server.connections()) == count;
      },
      "the number of connections");
}

}  // namespace

TEST_CASE("server: a number of workers that makes no sense") {
  for (const unsigned workers : {0U, 1025U}) {
    ServerOptions options;
    options.workers = workers;
    CHECK_THROWS_WITH_AS(Server{options},
                         doctest::Contains(("not " + std::to_string(workers)).c_str()),
                         std::system_error);
  }
}

TEST_CASE("server: never started, with and without listeners, joined or not") {
  { const Server server; }
  ServerOptions options;
  options.workers = 3;
  {
    Server server(options);
    server.listen(loopback(), make_echo);
  }
  {
    Server server(options);
    server.listen(loopback(), make_echo);
    server.join();
    CHECK(server.counters().size() == 3);
    CHECK(server.connections() == std::vector<std::size_t>{0, 0, 0});
    server.stop();
    server.drain(1s);
    server.join();
  }
}

TEST_CASE("server: a listener that cannot be leaves a server that can") {
  ServerOptions options;
  options.workers = 2;
  Server server(options);
  const Endpoint first = server.listen(loopback(), make_echo);
  Server other;
  CHECK_THROWS_WITH_AS(other.listen(first, make_echo),
                       doctest::Contains(("listen tcp://" + first.to_string()).c_str()),
                       std::system_error);
  const Endpoint second = other.listen(loopback(), make_echo);
  server.start();
  other.start();
  Clients clients;
  clients.greet(first, 3);
  clients.greet(second, 3);
}

TEST_CASE("server: each reactor has a protocol of its own, made before anything is served") {
  ServerOptions options;
  options.workers = 3;
  Server server(options);
  std::vector<Reactor*> reactors;
  const auto here = std::this_thread::get_id();
  server.listen(loopback(), [&](Reactor& reactor) {
    CHECK(std::this_thread::get_id() == here);
    reactors.push_back(&reactor);
    return make_echo(reactor);
  });
  std::sort(reactors.begin(), reactors.end());
  CHECK(std::unique(reactors.begin(), reactors.end()) == reactors.end());
  CHECK(reactors.size() == 3);
}

TEST_CASE("server: connections spread by the kernel, and all are served") {
  ServerOptions options;
  options.workers = 3;
  options.balance = Balance::kernel;
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  const Endpoint ipv6 = server.listen(*Endpoint::from_address("::1", 0), make_echo);
  server.start();
  Clients clients;
  clients.greet(where, 60);
  clients.greet(ipv6, 10);
  CHECK(sum(server.connections()) == 70);
  const Counters total = sum(server.counters());
  CHECK(total.accepted == 70);
  CHECK(total.open_connections == 70);
  CHECK(total.received_bytes >= 70 * 5);
}

TEST_CASE("server: handed over, connections are even, however they come") {
  ServerOptions options;
  options.workers = 4;
  options.balance = Balance::hand_over;
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  Clients clients;
  // They all wait when the server starts, so that it accepts many in one turn.
  for (int i = 0; i < 40; ++i) clients.connect(where);
  clients.until([&] { return clients.reactor.counters().connected == 40; }, "the connections");
  server.start();
  until_connections(server, clients, 40);
  CHECK(server.connections() == std::vector<std::size_t>{10, 10, 10, 10});
  for (int i = 0; i < 20; ++i) {  // and one at a time
    clients.connect(where);
    until_connections(server, clients, 41 + static_cast<std::size_t>(i));
    const auto counts = server.connections();
    CHECK(*std::max_element(counts.begin(), counts.end()) -
              *std::min_element(counts.begin(), counts.end()) <=
          1);
  }
  // Those who leave make room on their reactor.
  for (std::size_t i = 0; i < 30; ++i) clients.protocol.seen[i].connection->abort();
  until_connections(server, clients, 30);
  for (int i = 0; i < 30; ++i) clients.connect(where);
  until_connections(server, clients, 60);
  CHECK(server.connections() == std::vector<std::size_t>{15, 15, 15, 15});
}

TEST_CASE("server: a Unix socket is handed over, for nobody balances it") {
  if (lacks_sockets_by_path()) return;
  const TemporaryPath path;
  ServerOptions options;
  options.workers = 2;
  Server server(options);
  const Endpoint where = server.listen(*Endpoint::local(path.string()), make_echo);
  CHECK(where.path() == path.string());
  server.start();
  Clients clients;
  clients.greet(where, 10);
  CHECK(server.connections() == std::vector<std::size_t>{5, 5});
}

TEST_CASE("server: a Unix socket's file goes with it, unless it is a successor's") {
  if (lacks_sockets_by_path()) return;
  const TemporaryPath path;
  const Endpoint where = *Endpoint::local(path.string());
  const auto end = [](Server& server) {
    server.start();
    server.drain(1h);
    server.join();
  };
  auto first = std::make_unique<Server>();
  first->listen(where, make_echo);
  std::filesystem::remove(path.string());
  auto second = std::make_unique<Server>();
  second->listen(where, make_echo);
  end(*first);
  first.reset();
  CHECK(std::filesystem::exists(path.string()));
  end(*second);
  second.reset();
  CHECK_FALSE(std::filesystem::exists(path.string()));
}

TEST_CASE("server: the limit of connections is for all reactors and listeners together") {
  for (const Balance balance : {Balance::kernel, Balance::hand_over}) {
    ServerOptions options;
    options.workers = 2;
    options.balance = balance;
    options.listener.connections_max = 5;
    Server server(options);
    const Endpoint where = server.listen(loopback(), make_echo);
    server.start();
    Clients clients;
    clients.greet(where, 5);
    clients.protocol.on_opened = {};
    Seen& too_many = clients.connect(where);
    clients.until([&] { return too_many.closed == 1; }, "the refusal");
    CHECK(too_many.error == std::errc::connection_reset);
    CHECK(sum(server.counters()).refused == 1);
    CHECK(sum(server.connections()) == 5);
  }
}

TEST_CASE("server: datagrams on each reactor") {
  ServerOptions options;
  options.workers = 2;
  Server server(options);
  const auto make = [](Reactor&) { return std::make_unique<tool::DatagramEcho>(); };
  const Endpoint where = server.listen_datagrams(loopback(), make);
  CHECK(where.port() != 0);
  server.start();
  struct Counting final : DatagramProtocol {
    void received(DatagramSocket&, std::span<const Datagram> datagrams) override {
      count += datagrams.size();
    }
    std::size_t count = 0;
  } counting;
  Reactor reactor;
  for (int i = 0; i < 20; ++i) {
    DatagramSocket& socket = DatagramSocket::open(reactor, counting, {}, where);
    CHECK(socket.send(std::as_bytes(std::span("hello", 5))) == 1);
  }
  until(
      reactor, [&] { return counting.count == 20; }, "the echoes");
  CHECK(sum(server.counters()).received_datagrams == 20);
  server.drain(10s);
  server.join();
}

TEST_CASE("server: drained, idle connections are ended and the end comes at once") {
  ServerOptions options;
  options.workers = 2;
  options.drain_quiet = 0ns;
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  server.start();
  Clients clients;
  clients.greet(where, 20);
  server.drain(1h);  // join() would not return for that long, were the deadline waited for
  clients.until_all_closed();
  server.join();
  for (const Seen& each : clients.protocol.seen) {
    CHECK(each.ended == 1);
    CHECK(each.reason == CloseReason::finished);
  }
  CHECK(sum(server.connections()) == 0);
  const Counters total = sum(server.counters());
  CHECK(closed(total, CloseReason::closed_locally) == 20);
  CHECK(total.open_connections == 0);
  // The port is free.
  Server another;
  CHECK(another.listen(where, make_echo) == where);
}

TEST_CASE("server: drained, who waits to be accepted is still served") {
  for (const Balance balance : {Balance::kernel, Balance::hand_over}) {
    ServerOptions options;
    options.workers = 3;
    options.balance = balance;
    options.drain_quiet = 1h;
    Server server(options);
    const Endpoint where = server.listen(loopback(), make_echo);
    Clients clients;
    // The server has not begun when it is told to end, so all of them are in the queue.
    for (int i = 0; i < 150; ++i) clients.connect(where);
    clients.until([&] { return clients.reactor.counters().connected == 150; }, "connections");
    server.drain(1h);
    server.start();
    for (Seen& each : clients.protocol.seen) {
      each.connection->send("last words");
      each.connection->finish();
    }
    clients.until_all_closed();
    for (const Seen& each : clients.protocol.seen) {
      CHECK(each.received == "last words");
      CHECK(each.reason == CloseReason::finished);
    }
    server.join();
    CHECK(sum(server.counters()).refused == 0);
  }
}

TEST_CASE("server: drained, who waits is served however busy the reactor is") {
  // Holds up the reactor until it is told to go on.
  class Held final : public Protocol {
   public:
    explicit Held(std::atomic<bool>& may_go_on) : may_go_on_(may_go_on) {}
    void received(Connection& connection, std::span<const std::byte> bytes) override {
      while (!may_go_on_) std::this_thread::yield();
      connection.send(bytes);
    }

   private:
    std::atomic<bool>& may_go_on_;
  };
  std::atomic<bool> may_go_on{true};
  ServerOptions options;
  options.drain_quiet = 1h;
  Server server(options);
  const Endpoint where =
      server.listen(loopback(), [&](Reactor&) { return std::make_unique<Held>(may_go_on); });
  server.start();
  Clients clients;
  clients.greet(where, 400);  // more than one wait of the kernel tells of
  clients.protocol.on_opened = {};
  may_go_on = false;
  const auto say = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) clients.protocol.seen[i].connection->send("hello");
    clients.reactor.turn(Duration::zero());
    clients.reactor.turn(Duration::zero());
  };
  say(0, 400);
  for (int i = 0; i < 50; ++i) clients.connect(where);
  clients.until([&] { return clients.reactor.counters().connected == 450; }, "connections");
  say(400, 450);
  server.drain(1h);
  may_go_on = true;
  for (Seen& each : clients.protocol.seen) each.connection->finish();
  clients.until_all_closed();
  for (const Seen& each : clients.protocol.seen) {
    CHECK(each.reason == CloseReason::finished);
    CHECK(each.received.ends_with("hello"));
  }
  server.join();
}

TEST_CASE("server: drained, an end is an end for those who connect again as well") {
  class Again final : public Protocol {
   public:
    Again(Reactor& reactor, const Endpoint& peer)
        : connector_(reactor, *this, limits_), peer_(peer) {
      connector_.connect(peer_);
    }
    void received(Connection&, std::span<const std::byte>) override {}
    void closed(Connection&, CloseReason, const std::error_code&) override {
      connector_.connect(peer_);
    }

   private:
    Limits limits_;
    Connector connector_;
    Endpoint peer_;
  };
  Server upstream;
  const Endpoint where = upstream.listen(loopback(), make_echo);
  upstream.start();
  Server server;
  server.listen(loopback(),
                [&](Reactor& reactor) { return std::make_unique<Again>(reactor, where); });
  server.start();
  server.drain(10ms);
  server.join();
}

TEST_CASE("server: drained and at once stopped") {
  for (const Balance balance : {Balance::kernel, Balance::hand_over}) {
    ServerOptions options;
    options.workers = 3;
    options.balance = balance;
    Server server(options);
    const Endpoint where = server.listen(loopback(), make_echo);
    Clients clients;
    for (int i = 0; i < 50; ++i) clients.connect(where);
    clients.until([&] { return clients.reactor.counters().connected == 50; }, "connections");
    server.drain(1h);
    server.stop();
    server.start();
    server.join();
  }
}

TEST_CASE("server: its port is its own, unless it is to be shared") {
  for (const bool shared : {false, true}) {
    ServerOptions options;
    options.workers = 2;
    options.listener.listen.socket.reuse_port = shared;
    Server first(options);
    Server second(options);
    if (shared && !can_share_ports()) continue;
    const Endpoint where = first.listen(loopback(), make_echo);
    if (shared) {
      CHECK(second.listen(where, make_echo) == where);
    } else {
      CHECK_THROWS_WITH_AS(second.listen(where, make_echo),
                           doctest::Contains(("listen tcp://" + where.to_string()).c_str()),
                           std::system_error);
    }
  }
}

TEST_CASE("server: drained, busy connections are served until they end") {
  ServerOptions options;
  options.workers = 2;
  options.drain_quiet = 1h;  // whoever has not said the end is busy
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  server.start();
  Clients clients;
  clients.greet(where, 4);
  server.drain(1h);
  // Listeners close at once, each on its own thread: until they all have, one may still answer.
  for (int tries = 0;; ++tries) {
    REQUIRE(tries < 1000);
    Seen& late = clients.connect(where);
    clients.until([&] { return late.closed + late.opened > 0; }, "an answer");
    if (late.opened == 0) break;
    late.connection->abort();
  }
  std::size_t expected = 5;
  for (int round = 0; round < 50; ++round) {
    expected += 10'000;
    for (std::size_t i = 0; i < 4; ++i) {
      clients.protocol.seen[i].connection->send(std::string(10'000, 'x'));
    }
    clients.until(
        [&] {
          return std::all_of(clients.protocol.seen.begin(), clients.protocol.seen.begin() + 4,
                             [&](const Seen& each) { return each.received_bytes >= expected; });
        },
        "the echoes");
  }
  for (std::size_t i = 0; i < 4; ++i) {
    clients.protocol.seen[i].connection->send("the last");
    clients.protocol.seen[i].connection->finish();
  }
  clients.until_all_closed();
  server.join();
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(clients.protocol.seen[i].received.ends_with("the last"));
    CHECK(clients.protocol.seen[i].reason == CloseReason::finished);
  }
  CHECK(closed(sum(server.counters()), CloseReason::finished) == 4);
}

TEST_CASE("server: drained, who does not end in time is aborted") {
  ServerOptions options;
  options.workers = 2;
  options.drain_quiet = 1h;
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  server.start();
  Clients clients;
  clients.greet(where, 6);
  server.drain(20ms);
  server.drain(1h);  // it has begun already
  clients.until_all_closed();
  server.join();
  for (const Seen& each : clients.protocol.seen) CHECK(each.error == std::errc::connection_reset);
  CHECK(closed(sum(server.counters()), CloseReason::drain_timeout) == 6);
}

TEST_CASE("server: drained before it starts, and stopped before it starts") {
  for (const bool drains : {true, false}) {
    ServerOptions options;
    options.workers = 2;
    Server server(options);
    server.listen(loopback(), make_echo);
    if (drains) {
      server.drain(1h);
    } else {
      server.stop();
    }
    server.start();
    server.join();
  }
}

TEST_CASE("server: stopped or just destroyed, its connections are aborted") {
  for (const bool stops : {true, false}) {
    std::atomic<int> aborted{0};
    struct Counting final : Protocol {
      explicit Counting(std::atomic<int>& number) : count(&number) {}
      void received(Connection& connection, std::span<const std::byte> bytes) override {
        connection.send(bytes);
      }
      void closed(Connection&, CloseReason reason, const std::error_code&) override {
        if (reason == CloseReason::aborted) ++*count;
      }
      std::atomic<int>* count;
    };
    Clients clients;
    {
      ServerOptions options;
      options.workers = 3;
      options.balance = Balance::hand_over;
      Server server(options);
      const Endpoint where =
          server.listen(loopback(), [&](Reactor&) { return std::make_unique<Counting>(aborted); });
      server.start();
      clients.greet(where, 9);
      if (stops) {
        server.stop();
        server.join();
      }
    }
    CHECK(aborted.load() == 9);
    clients.until_all_closed();
    for (const Seen& each : clients.protocol.seen) {
      CHECK(each.error == std::errc::connection_reset);
    }
  }
}

TEST_CASE("server: connections on their way between reactors when it ends are not lost") {
  for (int round = 0; round < 30; ++round) {
    Clients clients;
    {
      ServerOptions options;
      options.workers = 4;
      options.balance = Balance::hand_over;
      Server server(options);
      const Endpoint where = server.listen(loopback(), make_echo);
      for (int i = 0; i < 20; ++i) clients.connect(where);
      server.start();
      clients.reactor.turn(1ms);
      if (round % 2 == 0) server.drain(0ns);
    }
    clients.until_all_closed();
  }
}

TEST_CASE("server: numbers may be asked for from any thread, at any time") {
  ServerOptions options;
  options.workers = 2;
  Server server(options);
  const Endpoint where = server.listen(loopback(), make_echo);
  server.start();
  std::atomic<bool> done{false};
  std::vector<std::thread> askers;
  for (int i = 0; i < 3; ++i) {
    askers.emplace_back([&] {
      while (!done) {
        (void)server.counters();
        (void)server.connections();
      }
    });
  }
  Clients clients;
  clients.greet(where, 30);
  server.drain(10s);
  clients.until_all_closed();
  server.join();
  (void)server.counters();
  done = true;
  for (std::thread& asker : askers) asker.join();
  CHECK(sum(server.counters()).accepted == 30);
}
