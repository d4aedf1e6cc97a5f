// What a connection does when time passes: lingering after close(), and the idle timeout.
#include <algorithm>

#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// On a simulated network a deadline is met but for the time that a wait costs.
constexpr Duration exactness = 100us;

}  // namespace

// --- lingering close

CORE_CASE("lingering: a peer that keeps talking while slowly reading gets the last bytes") {
  constexpr std::size_t bytes = std::size_t{8} << 20;
  Stage stage;
  stage.client.keeps_bytes = false;
  Pair pair = stage.pair();
  std::uint64_t checked = 0;
  stage.client.on_received = [&](Connection& connection, auto received) {
    CHECK(Pattern(1).matches(checked, received));
    checked += received.size();
    connection.pause();
  };
  pair.server.connection->send(Pattern(1).text(0, bytes));
  pair.server.connection->close();
  for (int turn = 0; pair.client.ended == 0; ++turn) {
    REQUIRE(turn < 100'000);
    pair.client.connection->send("x");
    pair.client.connection->resume();
    stage.reactor.turn(1ms);
  }
  stage.until_closed(pair);
  CHECK(checked == bytes);
  CHECK(pair.client.reason == CloseReason::finished);
  CHECK(pair.server.reason == CloseReason::closed_locally);
  CHECK_FALSE(pair.server.error);
  CHECK(pair.server.received.empty());
}

CORE_CASE("lingering: what the peer says before it was handed everything counts for nothing") {
  Limits limits;
  limits.linger_bytes_max = 10;
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 8192;
  Stage stage(limits, small);
  Pair pair = stage.pair();
  pair.client.connection->pause();
  pair.server.connection->send(std::string(500'000, 'x'));
  pair.server.connection->close();
  for (int i = 0; i < 20; ++i) {
    pair.client.connection->send("I am still talking");
    stage.settle();
  }
  CHECK(pair.server.closed == 0);
  CHECK(pair.server.connection->queued_bytes() > 0);
  pair.client.connection->resume();
  stage.until_closed(pair);
  CHECK(pair.client.received.size() == 500'000);
  CHECK(pair.server.reason == CloseReason::closed_locally);
}

CORE_CASE("lingering: the byte limit") {
  Limits limits;
  limits.linger_bytes_max = 100'000;
  Stage stage(limits);
  stage.client.on_ended = [](Connection&) {};  // goes on talking
  Pair pair = stage.pair();
  pair.server.connection->close();
  stage.until([&] { return pair.client.ended == 1; }, "the end");
  pair.client.connection->send(std::string(99'000, 'x'));
  stage.settle();
  CHECK(pair.server.closed == 0);
  pair.client.connection->send(std::string(2'000, 'x'));
  stage.until([&] { return pair.server.closed == 1; }, "the limit");
  CHECK(pair.server.reason == CloseReason::closed_locally);
  CHECK(pair.server.received.empty());
}

CORE_CASE("lingering: single bytes end, too") {
  Limits limits;
  limits.linger_bytes_max = 1024 * 1024;
  Stage stage(limits);
  stage.client.on_ended = [](Connection&) {};
  Pair pair = stage.pair();
  pair.server.connection->close();
  stage.until([&] { return pair.client.ended == 1; }, "the end");
  int drops = 0;
  for (; pair.server.closed == 0; ++drops) {
    REQUIRE(drops <= 1024);
    pair.client.connection->send("x");
    stage.reactor.turn(0ms);
    stage.reactor.turn(0ms);
  }
  CHECK(pair.server.reason == CloseReason::closed_locally);
}

CORE_CASE("lingering: silence, never early, and counted anew from each byte") {
  Limits limits;
  limits.linger_timeout = 30ms;
  limits.idle_timeout = Duration::zero();
  Stage stage(limits);
  stage.client.on_ended = [](Connection&) {};
  Pair pair = stage.pair();
  Time closed_at{};
  stage.server.on_closed = [&](Connection& connection, CloseReason) {
    closed_at = stage.reactor.now();
    CHECK(closed_at - connection.last_activity() >= 30ms);
  };
  pair.server.connection->close();
  stage.until([&] { return pair.client.ended == 1; }, "the end");
  const Time begun = stage.reactor.now();
  for (int i = 0; i < 5; ++i) {
    // A busy machine may have been away for longer than the silence may last.
    if (!is_simulated && pair.client.connection == nullptr) break;
    pair.client.connection->send("x");
    for (const Time end = stage.reactor.now() + 10ms; stage.reactor.now() < end;) {
      stage.reactor.turn(end - stage.reactor.now());
    }
    if (is_simulated) CHECK(pair.server.closed == 0);
  }
  stage.until([&] { return pair.server.closed == 1; }, "the silence to end");
  if (is_simulated) CHECK(closed_at - begun >= 40ms + 30ms);
  CHECK(pair.server.reason == CloseReason::closed_locally);
}

CORE_CASE("lingering: switched off, the connection closes as soon as all is handed over") {
  Limits limits;
  limits.linger_timeout = Duration::zero();
  Stage stage(limits);
  stage.client.on_ended = [](Connection&) {};
  Pair pair = stage.pair();
  pair.server.connection->send("last words");
  pair.server.connection->close();
  stage.until([&] { return pair.server.closed == 1 && pair.client.ended == 1; }, "the end");
  CHECK(pair.client.received == "last words");
  CHECK(pair.server.reason == CloseReason::closed_locally);
  pair.client.connection->finish();
  stage.until_closed(pair);
}

CORE_CASE("lingering: close() after the peer's end closes at once") {
  Limits limits;
  limits.linger_timeout = 1h;
  Stage stage(limits);
  stage.server.on_ended = [](Connection& connection) {
    connection.send("bye");
    connection.close();
  };
  Pair pair = stage.pair();
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.received == "bye");
  CHECK(pair.client.reason == CloseReason::finished);
  CHECK(pair.server.reason == CloseReason::closed_locally);
}

CORE_CASE("lingering: close() after finish() drops what still comes, even if paused") {
  Limits limits;
  limits.linger_timeout = 1h;  // its end is not what closes here
  Stage stage(limits);
  Pair pair = stage.pair();
  stage.client.on_ended = [](Connection&) {};
  pair.server.connection->finish();
  pair.client.connection->send("heard");
  stage.until([&] { return pair.server.received == "heard"; }, "data after finish()");
  pair.server.connection->pause();
  pair.server.connection->close();
  pair.client.connection->send("not heard");
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.server.received == "heard");
  CHECK(pair.server.ended == 0);
  CHECK(pair.server.reason == CloseReason::closed_locally);
}

CORE_CASE("lingering: a peer that resets after it was handed everything is no error") {
  Stage stage;
  Pair pair = stage.pair();
  stage.client.on_ended = [](Connection& connection) { connection.abort(); };
  pair.server.connection->send("last words");
  pair.server.connection->close();
  stage.until_closed(pair);
  CHECK(pair.server.reason == CloseReason::closed_locally);
  CHECK(stage.count(CloseReason::reset_by_peer) == 0);
}

CORE_CASE("lingering: a peer that resets before it was handed everything is told") {
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 8192;
  Stage stage({}, small);
  Pair pair = stage.pair();
  pair.client.connection->pause();
  pair.server.connection->send(std::string(500'000, 'x'));
  pair.server.connection->close();
  stage.settle();
  pair.client.connection->abort();
  stage.until_closed(pair);
  CHECK(pair.server.reason == CloseReason::reset_by_peer);
  CHECK(pair.server.error);
}

CORE_CASE("lingering: a peer that never reads is ended by the idle timeout, however it talks") {
  Limits limits;
  limits.idle_timeout = 200ms;
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 8192;
  Stage stage(limits, small);
  stage.client_limits.idle_timeout = Duration::zero();
  Pair pair = stage.pair();
  pair.client.connection->pause();
  pair.server.connection->send(std::string(500'000, 'x'));
  pair.server.connection->close();
  for (int turn = 0; pair.server.closed == 0; ++turn) {
    REQUIRE(turn < 100'000);
    if (pair.client.connection != nullptr) pair.client.connection->send("x");
    stage.reactor.turn(1ms);
  }
  CHECK(pair.server.reason == CloseReason::idle_timeout);
}

// --- idle timeout

CORE_CASE("idle timeout: silence in both directions, never early") {
  Limits limits;
  limits.idle_timeout = 40ms;
  Stage stage(limits);
  stage.client_limits.idle_timeout = Duration::zero();
  Pair pair = stage.pair();
  stage.server.on_closed = [&](Connection& connection, CloseReason) {
    const Duration silence = stage.reactor.now() - connection.last_activity();
    CHECK(silence >= 40ms);
    if (is_simulated) CHECK(silence <= 40ms + exactness);
  };
  stage.until([&] { return pair.server.closed == 1; }, "the timeout");
  CHECK(pair.server.reason == CloseReason::idle_timeout);
  CHECK_FALSE(pair.server.error);
  CHECK(stage.count(CloseReason::idle_timeout) == 1);
  stage.until_closed(pair);
  CHECK(pair.client.reason != CloseReason::idle_timeout);
}

// Only virtual time shows that a connection which is used is never ended: no machine is too slow.
CORE_CASE("idle timeout: bytes in either direction keep a connection, and cost no timer") {
  if (!is_simulated) return;
  Limits limits;
  limits.idle_timeout = 1s;
  Stage stage(limits);
  stage.client_limits.idle_timeout = Duration::zero();
  for (const bool server_sends : {false, true}) {
    Pair pair = stage.pair();
    const std::uint64_t timers_before = stage.reactor.counters().timers;
    constexpr int messages = 10'000;
    for (int i = 0; i < messages; ++i) {  // 100 s in all
      Seen& sender = server_sends ? pair.server : pair.client;
      sender.connection->send("x");
      for (const Time end = stage.reactor.now() + 10ms; stage.reactor.now() < end;) {
        stage.reactor.turn(end - stage.reactor.now());
      }
      REQUIRE(pair.server.closed == 0);
    }
    // The timer looks once a second, whatever the messages.
    CHECK(stage.reactor.counters().timers - timers_before <= 102);
    stage.until([&] { return pair.server.closed == 1; }, "the timeout");
    CHECK(pair.server.reason == CloseReason::idle_timeout);
  }
}

CORE_CASE("idle timeout: off, changed, and of a peer that does not read") {
  Limits limits;
  limits.idle_timeout = Duration::zero();
  Limits hasty;
  hasty.idle_timeout = 5ms;
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 8192;
  Stage stage(limits, small);
  Pair pair = stage.pair();
  for (int turn = 0; turn < 20; ++turn) stage.reactor.turn(1ms);
  CHECK(pair.server.closed == 0);
  pair.client.connection->pause();
  pair.server.connection->send(std::string(500'000, 'x'));
  stage.settle();
  CHECK(pair.server.closed == 0);
  pair.server.connection->set_limits(hasty);
  stage.until([&] { return pair.server.closed == 1; }, "the timeout");
  CHECK(pair.server.reason == CloseReason::idle_timeout);
  if (pair.client.connection != nullptr) pair.client.connection->set_limits(hasty);
  stage.until_closed(pair);
}

CORE_CASE("idle timeout: the peer must not take a part of the output for all of it") {
  Limits limits;
  limits.idle_timeout = 20ms;
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 8192;
  Stage stage(limits, small);
  stage.client_limits.idle_timeout = Duration::zero();
  Pair pair = stage.pair();
  pair.client.connection->pause();
  pair.server.connection->send(std::string(500'000, 'x'));
  stage.until([&] { return pair.server.closed == 1; }, "the timeout");
  CHECK(pair.server.reason == CloseReason::idle_timeout);
  pair.client.connection->resume();
  stage.until_closed(pair);
  CHECK(pair.client.received_bytes < 500'000);
  CHECK(pair.client.ended == 0);
  CHECK(pair.client.reason == CloseReason::reset_by_peer);
}

CORE_CASE("idle timeout: also of a connection that has said its last word") {
  Limits limits;
  limits.idle_timeout = 20ms;
  Stage stage(limits);
  stage.client_limits.idle_timeout = Duration::zero();
  stage.client.on_ended = [](Connection&) {};
  Pair pair = stage.pair();
  pair.server.connection->finish();
  stage.until([&] { return pair.server.closed == 1; }, "the timeout");
  CHECK(pair.server.reason == CloseReason::idle_timeout);
}

CORE_CASE("idle timeout: the longest one never comes") {
  Limits limits;
  limits.idle_timeout = forever;
  limits.linger_timeout = forever;
  Stage stage(limits);
  Pair pair = stage.pair();
  stage.settle();
  CHECK(pair.server.closed == 0);
  pair.server.connection->close();
  stage.until_closed(pair);
}
