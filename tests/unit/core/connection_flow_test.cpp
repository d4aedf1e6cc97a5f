// What flows through a connection: order, watermarks and limits of the output, what one send call
// carries, pauses, lingering after close() and silence.
#include <algorithm>
#include <vector>

#include "tern/process.hpp"
#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

using State = Connection::State;

namespace {

// Small buffers, so that a peer who does not read is felt soon.
SocketOptions small_buffers() {
  SocketOptions options;
  options.send_buffer_bytes = 8192;
  options.receive_buffer_bytes = 8192;
  return options;
}

void echo(Connection& connection, std::span<const std::byte> bytes) { connection.send(bytes); }

// Checks what arrives against the pattern, as it arrives.
struct Checked {
  explicit Checked(Recorder& recorder) {
    recorder.keeps_bytes = false;
    recorder.on_received = [this](Connection&, std::span<const std::byte> bytes) {
      CHECK(Pattern(7).matches(received, bytes));
      received += bytes.size();
    };
  }
  std::uint64_t received = 0;
};

}  // namespace

// --- order and calls

CORE_CASE("connection flow: a reply in pieces, borrowed and copied, keeps its order") {
  Stage stage({}, small_buffers());
  Random random(test_seed());
  std::string expected;
  const SharedBuffer shared = SharedBuffer::copy_of("<shared>");
  stage.server.on_received = [&](Connection& connection, auto bytes) {
    while (!bytes.empty()) {
      const std::size_t step = 1 + random.below(bytes.size());
      const auto piece = bytes.first(step);
      bytes = bytes.subspan(step);
      const std::string copy(text_of(piece));
      switch (random.below(4)) {
        case 0:
          connection.send(copy);
          expected += copy;
          break;
        case 1:
          connection.send(shared);
          expected += "<shared>";
          break;
        case 2:
          break;  // not a part of the reply
        default:
          connection.send(piece);
          expected += copy;
          break;
      }
    }
  };
  Pair pair = stage.pair();
  for (int round = 0; round < 300; ++round) {
    pair.client.connection->send(Pattern(3).text(0, 1 + random.below(3000)));
    if (random.one_in(4)) pair.client.connection->pause();
    if (random.one_in(2)) pair.client.connection->resume();
    stage.reactor.turn(0ms);
  }
  pair.client.connection->resume();
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.received == expected);
}

CORE_CASE("connection flow: received bytes sent to another connection are copied") {
  Stage stage;
  Pair left = stage.pair();
  Pair right = stage.pair();
  stage.server.on_received = [&](Connection& connection, auto bytes) {
    Seen& other = &connection == left.server.connection ? right.server : left.server;
    other.connection->send(bytes);
    connection.send(bytes);
  };
  left.client.connection->send("left");
  stage.settle();
  right.client.connection->send("right");
  stage.settle();
  CHECK(left.client.received == "leftright");
  CHECK(right.client.received == "leftright");
}

CORE_CASE("connection flow: a reply behind queued output waits its turn") {
  Stage stage;
  Pair pair = stage.pair();
  stage.server.on_received = echo;
  pair.server.connection->send("first ");
  pair.client.connection->send("second");
  stage.until([&] { return pair.client.received.size() == 12; }, "both");
  CHECK(pair.client.received == "first second");
}

CORE_CASE("connection flow: what a turn queues leaves in one send") {
  Stage stage;
  Pair pair = stage.pair();
  stage.settle();
  const std::uint64_t before = stage.reactor.counters().send_calls;
  std::string expected;
  stage.reactor.post([&] {
    for (int i = 0; i < 200; ++i) pair.server.connection->send("small message ");
    pair.server.connection->send(SharedBuffer::copy_of("one for all "));
    pair.server.connection->send("and the last");
  });
  for (int i = 0; i < 200; ++i) expected += "small message ";
  expected += "one for all and the last";
  stage.until([&] { return pair.client.received.size() == expected.size(); }, "all of it");
  CHECK(pair.client.received == expected);
  if (!stage.sends_later()) CHECK(stage.reactor.counters().send_calls == before + 1);
}

CORE_CASE("connection flow: a reply is one send, and one receive") {
  Stage stage;
  Pair pair = stage.pair();
  stage.server.on_received = echo;
  stage.settle();
  const Counters before = stage.reactor.counters();
  for (std::size_t round = 1; round <= 20; ++round) {
    pair.client.connection->send("ping");
    stage.until([&] { return pair.client.received.size() == 4 * round; }, "the echo");
  }
  const Counters after = stage.reactor.counters();
  if (stage.sends_later()) return;  // there, sends leave in pieces
  CHECK(pair.server.receives == 20);
  CHECK(after.send_calls - before.send_calls == 40);
  CHECK(after.would_blocks == before.would_blocks);
}

CORE_CASE("connection flow: a short answer leaves before the turn's end, a long one with it") {
  for (const std::size_t size : {std::size_t{4}, std::size_t{4096}, std::size_t{4097}}) {
    CAPTURE(size);
    Stage stage;
    Pair left = stage.pair();
    Pair right = stage.pair();
    stage.settle();
    std::vector<Counters> seen;
    const std::string answer = Pattern(1).text(0, size);
    stage.server.on_received = [&](Connection& connection, auto) {
      seen.push_back(stage.reactor.counters());
      connection.send(answer);
    };
    stage.reactor.post([&] {
      left.client.connection->send("left");
      right.client.connection->send("right");
    });
    const auto both = [&] {
      return left.client.received.size() == size && right.client.received.size() == size;
    };
    stage.until(both, "both answers");
    CHECK(left.client.received == answer);
    CHECK(right.client.received == answer);
    if (stage.sends_later()) continue;  // there, the kernel reads later: all goes by the queue
    REQUIRE(seen.size() == 2);
    REQUIRE(seen[0].turns == seen[1].turns);
    CHECK(seen[1].send_calls - seen[0].send_calls == (size <= 4096 ? 1 : 0));
  }
}

CORE_CASE("connection flow: one shared buffer to a thousand connections, eight times a turn") {
  raise_descriptor_limit();
  constexpr std::size_t count = 1000;
  constexpr int messages = 8;
  Stage stage;
  for (std::size_t i = 0; i < count; ++i) stage.connect();
  stage.until([&] { return stage.server.seen.size() == count; }, "a thousand connections");
  stage.settle();
  const std::uint64_t before = stage.reactor.counters().send_calls;
  std::string expected;
  stage.reactor.post([&] {
    for (int message = 0; message < messages; ++message) {
      const std::string line = "line " + std::to_string(message) + "\n";
      expected += line;
      const SharedBuffer buffer = SharedBuffer::copy_of(line);
      for (Seen& each : stage.server.seen) each.connection->send(buffer);
    }
  });
  stage.settle();
  for (const Seen& each : stage.client.seen) CHECK(each.received == expected);
  if (!stage.sends_later()) CHECK(stage.reactor.counters().send_calls - before == count);
}

// --- watermarks and limits

CORE_CASE("connection flow: above the high watermark input stops, at the low one it starts again") {
  Limits limits;
  limits.output_high_bytes = 20'000;
  limits.output_low_bytes = 5'000;
  ReactorOptions options;
  options.receive_bytes = 4096;
  Stage stage(limits, small_buffers(), options);
  // A client that waited for its own output before it reads would wait for ever.
  stage.client_limits.output_high_bytes = 1'000'000;
  Pair pair = stage.pair();
  const Checked checked(stage.client);
  std::size_t most = 0;
  std::uint64_t receives_at_pause = 0;
  stage.server.keeps_bytes = false;
  stage.server.on_received = [&](Connection& connection, auto bytes) {
    CHECK(connection.queued_bytes() <= limits.output_high_bytes);
    connection.send(bytes);
    most = std::max(most, connection.queued_bytes());
    receives_at_pause = Recorder::of(connection).receives;
  };
  constexpr std::size_t total = 300'000;
  pair.client.connection->pause();
  pair.client.connection->send(Pattern(7).text(0, total));
  stage.settle();
  // The client does not read: input has stopped, and what is held is bounded.
  CHECK(most > limits.output_high_bytes);
  CHECK(most <= limits.output_high_bytes + options.receive_bytes);
  CHECK(pair.server.connection->queued_bytes() > limits.output_low_bytes);
  CHECK(pair.server.receives == receives_at_pause);
  CHECK(pair.server.drained == 0);
  CHECK(stage.reactor.counters().receive_pauses == 1);
  CHECK_FALSE(pair.server.connection->paused());

  pair.client.connection->resume();
  stage.until([&] { return checked.received == total; }, "the whole echo");
  CHECK(pair.server.drained >= 1);
  CHECK(most <= limits.output_high_bytes + options.receive_bytes);
  CHECK(pair.server.connection->queued_bytes() == 0);
}

CORE_CASE("connection flow: drained() is told once for each time above the high watermark") {
  Limits limits;
  limits.output_high_bytes = 1000;
  limits.output_low_bytes = 0;
  Stage stage(limits, small_buffers());
  Pair pair = stage.pair();
  stage.settle();  // TLS says something itself, and makes more of what is sent
  const std::size_t not_above = pair.server.connection->tls() ? 900 : 1000;
  pair.server.connection->send(std::string(not_above, 'x'));
  stage.settle();
  CHECK(pair.server.drained == 0);
  CHECK(stage.reactor.counters().receive_pauses == 0);
  for (int time = 1; time <= 3; ++time) {
    for (int i = 0; i < 100; ++i) pair.server.connection->send(std::string(1001, 'x'));
    CHECK(pair.server.drained == time - 1);
    stage.until([&] { return pair.server.drained == time; }, "drained()");
    stage.settle();
    CHECK(pair.server.drained == time);
    CHECK(stage.reactor.counters().receive_pauses == static_cast<std::uint64_t>(time));
  }
  CHECK(pair.client.received.size() == not_above + 3 * 100 * 1001);
}

CORE_CASE("connection flow: a source that sends more in each drained() is bounded and complete") {
  Limits limits;
  limits.output_high_bytes = 30'000;
  limits.output_low_bytes = 10'000;
  Stage stage(limits, small_buffers());
  const Checked checked(stage.client);
  constexpr std::uint64_t total = 2'000'000;
  std::uint64_t sent = 0;
  const auto fill = [&](Connection& connection) {
    while (sent < total && connection.queued_bytes() <= limits.output_high_bytes) {
      connection.send(Pattern(7).text(sent, 1000));
      sent += 1000;
    }
    CHECK(connection.queued_bytes() <= limits.output_high_bytes + 1000);
    if (sent == total) connection.finish();
  };
  stage.server.on_opened = fill;
  stage.server.on_drained = fill;
  Pair pair = stage.pair();
  stage.until_closed(pair);
  CHECK(checked.received == total);
}

CORE_CASE("connection flow: output beyond the hard limit closes with a reset") {
  Limits limits;
  limits.output_high_bytes = 1000;
  limits.output_low_bytes = 100;
  limits.output_bytes_max = 50'000;
  Stage stage(limits, small_buffers());
  Pair pair = stage.pair();
  stage.settle();                                          // TLS says something itself
  pair.server.connection->send(std::string(50'000, 'x'));  // all that is allowed
  CHECK(pair.server.connection->queued_bytes() == 50'000);
  CHECK(pair.server.connection->state() == State::open);
  pair.server.connection->send("y");
  CHECK(pair.server.connection->state() == State::closing);
  CHECK(pair.server.closed == 0);
  pair.server.connection->send("dropped");
  stage.until_closed(pair);
  CHECK(pair.server.reason == CloseReason::output_limit);
  CHECK(pair.client.reason == CloseReason::reset_by_peer);
  CHECK(stage.count(CloseReason::output_limit) == 1);

  // The same with a shared buffer, and with a reply that does not fit behind what is queued.
  Pair shared = stage.pair();
  shared.server.connection->send(SharedBuffer::copy_of(std::string(50'001, 'x')));
  CHECK(shared.server.connection->state() == State::closing);
  stage.until_closed(shared);
  Pair reply = stage.pair();
  stage.server.on_received = [](Connection& connection, auto bytes) {
    connection.send(bytes);
    connection.send(std::string(49'999, 'x'));
    connection.send(bytes);
  };
  reply.client.connection->send("hello");
  stage.until_closed(reply);
  CHECK(reply.server.reason == CloseReason::output_limit);
  CHECK(stage.count(CloseReason::output_limit) == 3);
}

// A short answer may leave past the queue, but not past those.
CORE_CASE("connection flow: an answer above a watermark or a limit is told of, however short") {
  Limits limits;
  limits.output_high_bytes = 1000;
  limits.output_low_bytes = 100;
  limits.output_bytes_max = 3000;
  Stage stage(limits);
  stage.client_limits = Limits{};
  Pair pair = stage.pair();
  stage.server.on_received = [](Connection& connection, auto bytes) {
    connection.send(std::string(bytes.size() == 1 ? 1001 : 3001, 'x'));
  };
  pair.client.connection->send("?");
  stage.until([&] { return pair.server.drained == 1; }, "drained()");
  stage.until([&] { return pair.client.received.size() == 1001; }, "the answer");
  pair.client.connection->send("??");
  stage.until_closed(pair);
  CHECK(pair.server.reason == CloseReason::output_limit);
  CHECK(pair.client.received.size() == 1001);
}

CORE_CASE("connection flow: a client that never reads costs its watermark, and nobody else") {
  Limits limits;
  limits.output_high_bytes = 16 * 1024;
  limits.output_low_bytes = 4 * 1024;
  ReactorOptions options;
  options.receive_bytes = 8 * 1024;
  Stage stage(limits, small_buffers(), options);
  stage.client_limits = Limits{};
  stage.server.keeps_bytes = false;
  stage.server.on_received = echo;
  Pair deaf = stage.pair();
  Pair good = stage.pair();
  deaf.client.connection->pause();
  deaf.client.connection->send(std::string(1'000'000, 'x'));
  std::size_t most = 0;
  for (std::size_t round = 1; round <= 200; ++round) {
    good.client.connection->send("ping");
    stage.until([&] { return good.client.received.size() == 4 * round; }, "the good one's echo");
    most = std::max(most, deaf.server.connection->queued_bytes());
  }
  // What the kernel took after the pause began is not among it any more.
  CHECK(stage.reactor.counters().receive_pauses > 0);
  CHECK(most > limits.output_low_bytes);
  CHECK(most <= limits.output_high_bytes + options.receive_bytes);
}

CORE_CASE("connection flow: limits can be replaced while bytes are queued") {
  Limits wide;
  Limits narrow;
  narrow.output_high_bytes = 1000;
  narrow.output_low_bytes = 10;
  Stage stage(wide, small_buffers());
  Pair pair = stage.pair();
  pair.client.connection->pause();
  pair.server.connection->send(std::string(200'000, 'x'));
  stage.settle();
  CHECK(stage.reactor.counters().receive_pauses == 0);
  pair.server.connection->set_limits(narrow);
  CHECK(&pair.server.connection->limits() == &narrow);
  stage.settle();
  CHECK(stage.reactor.counters().receive_pauses == 1);
  // With input stopped the client's words wait.
  pair.client.connection->send("hello");
  stage.settle();
  CHECK(pair.server.received.empty());
  CHECK(pair.server.drained == 0);
  pair.server.connection->set_limits(wide);
  pair.client.connection->resume();
  stage.until([&] { return pair.server.received == "hello"; }, "input again");
  stage.until([&] { return pair.client.received.size() == 200'000; }, "the output");
  CHECK(pair.server.drained == 1);
}

// --- pauses

CORE_CASE("connection flow: paused, nothing is delivered; resumed, nothing is missing") {
  Stage stage;
  Pair pair = stage.pair();
  pair.server.connection->pause();
  CHECK(pair.server.connection->paused());
  pair.client.connection->send("while you were out");
  pair.client.connection->finish();
  stage.settle();
  CHECK(pair.server.receives == 0);
  CHECK(pair.server.ended == 0);
  pair.server.connection->pause();
  pair.server.connection->resume();  // one undoes any number
  CHECK_FALSE(pair.server.connection->paused());
  stage.until_closed(pair);
  CHECK(pair.server.received == "while you were out");
}

CORE_CASE("connection flow: pausing inside received() and opened()") {
  Stage stage;
  stage.server.on_opened = [](Connection& connection) { connection.pause(); };
  stage.server.on_received = [](Connection& connection, auto) { connection.pause(); };
  Pair pair = stage.pair();
  pair.client.connection->send(std::string(200'000, 'x'));
  stage.settle();
  CHECK(pair.server.receives == 0);
  for (std::uint64_t receives = 1; pair.server.received_bytes < 200'000; ++receives) {
    pair.server.connection->resume();
    stage.settle();
    REQUIRE(pair.server.receives == receives);
  }
}

CORE_CASE("connection flow: a million pauses, then close()") {
  Stage stage;
  Pair pair = stage.pair();
  stage.server.on_received = echo;
  const std::uint64_t before = stage.reactor.counters().receive_calls;
  for (int i = 0; i < 1'000'000; ++i) {
    pair.server.connection->pause();
    pair.server.connection->resume();
  }
  stage.settle();
  CHECK(stage.reactor.counters().receive_calls - before <= 10);
  pair.client.connection->send("still there?");
  stage.until([&] { return pair.client.received == "still there?"; }, "the echo");
  pair.server.connection->close();
  stage.until_closed(pair);
}

CORE_CASE("connection flow: a paused connection sleeps while its peer talks, ends or resets") {
  Stage stage;
  Pair talking = stage.pair();
  Pair ended = stage.pair();
  Pair reset = stage.pair();
  for (const Pair& pair : {talking, ended, reset}) pair.server.connection->pause();
  talking.client.connection->send("words");
  ended.client.connection->finish();
  reset.client.connection->abort();
  stage.settle();
  const std::uint64_t before = stage.reactor.counters().completions;
  for (int turn = 0; turn < 50; ++turn) stage.reactor.turn(1ms);
  CHECK(stage.reactor.counters().completions - before <= 3);
  CHECK(reset.server.closed == 0);
  reset.server.connection->resume();
  ended.server.connection->resume();
  stage.until_closed(reset);
  stage.until_closed(ended);
  CHECK(reset.server.reason == CloseReason::reset_by_peer);
  CHECK(ended.server.reason == CloseReason::finished);
}
