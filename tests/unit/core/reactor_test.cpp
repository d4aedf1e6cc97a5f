// The reactor: the order within a turn, posted tasks, stopping, and what is left when it ends. What
// needs other threads is in reactor_threads_test.cpp.
#include "tern/reactor.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "tern/datagram_socket.hpp"
#include "tern/timer.hpp"
#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// Counts how many of it live.
struct Alive {
  explicit Alive(int& living) : count(&living) { ++*count; }
  Alive(const Alive& other) : count(other.count) { ++*count; }
  Alive(Alive&& other) noexcept : count(other.count) { ++*count; }
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --*count; }
  int* count;
};

}  // namespace

CORE_CASE("reactor: it says on what it runs") {
  CHECK(Reactor::poller_name() == core_backend().name);
}

CORE_CASE("reactor: a turn is timers, tasks, output, completions") {
  Stage stage;
  Pair pair = stage.pair();
  stage.settle();
  std::string order;
  CallbackTimer timer([&] { order += "timer "; });
  stage.server.on_received = [&](Connection&, auto) { order += "received "; };
  stage.reactor.post([&] {
    order += "task ";
    pair.client.connection->send("x");
    CHECK(pair.client.connection->queued_bytes() == 1);
  });
  timer.arm(stage.reactor, stage.reactor.now());
  stage.until([&] { return pair.server.receives == 1; }, "the byte");
  CHECK(order == "timer task received ");
  CHECK(stage.reactor.counters().tasks == 1);
  CHECK(stage.reactor.counters().timers == 1);
}

CORE_CASE("reactor: time stands still within a turn, and does not go back") {
  Reactor reactor;
  Time before = reactor.now();
  for (int turn = 0; turn < 100; ++turn) {
    reactor.post([&] {
      const Time now = reactor.now();
      CHECK(now >= before);
      CHECK(reactor.now() == now);
      before = now;
    });
    reactor.turn(0ms);
  }
  CHECK(reactor.now() >= before);
}

CORE_CASE("reactor: tasks run once, in the order of posting, in one turn") {
  Reactor reactor;
  std::vector<int> ran;
  for (int i = 0; i < 1000; ++i) reactor.post([&ran, i] { ran.push_back(i); });
  CHECK(ran.empty());
  CHECK(reactor.turn(0ms));
  REQUIRE(ran.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(ran[static_cast<std::size_t>(i)] == i);
  CHECK_FALSE(reactor.turn(0ms));
  CHECK(reactor.counters().tasks == 1000);
}

CORE_CASE("reactor: a task posted by a task runs in the next turn, without a wake") {
  Reactor reactor;
  int ran = 0;
  reactor.turn(0ms);  // it is this thread's from now on
  const std::uint64_t wakes = reactor.counters().wakes;
  std::function<void()> again = [&] {
    if (++ran < 100) reactor.post([&] { again(); });
  };
  reactor.post([&] { again(); });
  for (int turn = 1; turn <= 100; ++turn) {
    reactor.turn(1h);
    CHECK(ran == turn);
  }
  CHECK(reactor.counters().wakes == wakes);
}

CORE_CASE("reactor: a task may be anything that can be moved and called") {
  Reactor reactor;
  int sum = 0;
  auto number = std::make_unique<int>(5);
  reactor.post([&sum, moved = std::move(number)] { sum += *moved; });
  const auto copied = [&sum] { sum += 10; };
  reactor.post(copied);
  reactor.turn(0ms);
  copied();
  CHECK(sum == 25);
}

CORE_CASE("reactor: stop before run, stop in a task, and run again") {
  Reactor reactor;
  int ran = 0;
  reactor.post([&] { ++ran; });
  reactor.stop();
  reactor.run();  // returns at once
  CHECK(ran == 0);
  reactor.post([&] { reactor.stop(); });
  reactor.run();
  CHECK(ran == 1);
  CallbackTimer timer([&] { reactor.stop(); });
  timer.arm_after(reactor, 1ms);
  reactor.run();
  CHECK_FALSE(timer.armed());
}

CORE_CASE("reactor: tasks that are never run are destroyed") {
  int living = 0;
  int ran = 0;
  {
    Reactor reactor;
    reactor.post([&ran, alive = Alive(living)] { ++ran; });
    reactor.turn(0ms);
    CHECK(living == 0);
    for (int i = 0; i < 10; ++i) reactor.post([&ran, alive = Alive(living)] { ++ran; });
    CHECK(living == 10);
  }
  CHECK(living == 0);
  CHECK(ran == 1);
}

CORE_CASE("reactor: what the destructor of a task posts is destroyed as well") {
  // Posts one more of its kind, a number of times.
  struct Chain {
    Chain(Reactor& next_reactor, int& living, int more)
        : reactor(&next_reactor), alive(living), left(more) {}
    Chain(Chain&& other) noexcept
        : reactor(other.reactor), alive(other.alive), left(std::exchange(other.left, 0)) {}
    ~Chain() {
      if (left > 0) reactor->post(Chain(*reactor, *alive.count, left - 1));
    }
    void operator()() { FAIL("it was run"); }
    Reactor* reactor;
    Alive alive;
    int left;
  };
  int living = 0;
  {
    Reactor reactor;
    reactor.post(Chain(reactor, living, 5));
  }
  CHECK(living == 0);
}

CORE_CASE("reactor: destroyed with connections open, it runs neither tasks nor timers") {
  Recorder server;
  Recorder client;
  const Limits limits;
  int ran = 0;
  int closed = 0;
  CallbackTimer timer([&] { ++ran; });
  {
    Reactor reactor;
    Listener listener(reactor, loopback(), server, limits);
    Connector connector(reactor, client, limits);
    client.adopt(connector.connect(listener.local()));
    until(
        reactor, [&] { return server.seen.size() == 1; }, "a connection");
    client.on_closed = server.on_closed = [&](Connection& connection, CloseReason reason) {
      ++closed;
      CHECK(reason == CloseReason::aborted);
      connection.reactor().post([&] { ++ran; });
    };
    reactor.post([&] { ++ran; });
    timer.arm_after(reactor, 0ns);
  }
  CHECK(closed == 2);
  CHECK(ran == 0);
}

CORE_CASE("reactor: a protocol that connects again in closed() does not keep it alive") {
  Recorder protocol;
  const Limits limits;
  {
    Reactor reactor;
    Listener listener(reactor, loopback(), protocol, limits);
    const Endpoint where = listener.local();
    protocol.on_closed = [&reactor, &protocol, &limits, where](Connection&, CloseReason) {
      Connector(reactor, protocol, limits).connect(where);
    };
    Connector(reactor, protocol, limits).connect(where);
    until(
        reactor, [&] { return protocol.seen.size() == 2; }, "a connection");
  }
  CHECK(protocol.closed_count() == 2);
}

CORE_CASE("reactor: turn() says whether anything happened, and nothing is no work") {
  Reactor reactor;
  CHECK_FALSE(reactor.turn(0ms));
  CHECK_FALSE(reactor.turn(-1s));
  reactor.post([] {});
  CHECK(reactor.turn(0ms));
  const Counters before = reactor.counters();
  CHECK_FALSE(reactor.turn(0ms));
  const Counters after = reactor.counters();
  CHECK(after.turns == before.turns + 1);
  CHECK(after.waits == before.waits + 1);
  CHECK(after.empty_waits == before.empty_waits + 1);
  CHECK(after.completions == before.completions);
  CHECK(after.receive_calls == before.receive_calls);
}

CORE_CASE("reactor: the receive buffer bounds what one receive delivers") {
  ReactorOptions options;
  options.receive_bytes = 100;
  Stage stage({}, {}, options);
  std::size_t most = 0;
  stage.server.on_received = [&](Connection&, auto bytes) { most = std::max(most, bytes.size()); };
  Pair pair = stage.pair();
  pair.client.connection->send(Pattern(1).text(0, 5000));
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(most <= 100);
  CHECK(pair.server.received == Pattern(1).text(0, 5000));
}

CORE_CASE("reactor: one connection's flood does not starve another, nor a timer") {
  Stage stage;
  stage.server.keeps_bytes = stage.client.keeps_bytes = false;
  Pair flood = stage.pair();
  Pair echo = stage.pair();
  stage.server.on_received = [&](Connection& connection, auto bytes) {
    if (&connection == echo.server.connection) connection.send(bytes);
  };
  int fired = 0;
  std::unique_ptr<CallbackTimer> timer;
  timer = std::make_unique<CallbackTimer>([&] {
    ++fired;
    timer->arm_after(stage.reactor, 1ms);
  });
  timer->arm_after(stage.reactor, 1ms);
  const std::string block(200'000, 'x');
  for (std::uint64_t round = 1; round <= 200 || fired < 5; ++round) {
    if (flood.client.connection->queued_bytes() < 1'000'000) flood.client.connection->send(block);
    echo.client.connection->send("ping");
    stage.until([&] { return echo.client.received_bytes == 4 * round; }, "the echo in the flood");
    REQUIRE(round < 1'000'000);
  }
  CHECK(flood.server.received_bytes > 0);
}
