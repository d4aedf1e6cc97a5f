// The state machine of a connection: every transition of the drawing in tern/connection.hpp, what
// each call does in each state, and how the two ends hear of it.
#include "tern/connection.hpp"

#include <vector>

#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

using State = Connection::State;

namespace {

using Leave = void (Connection::*)();
constexpr Leave ways_to_leave[] = {&Connection::finish, &Connection::close, &Connection::abort};

// Every call that is legal in every state and ends nothing.
void poke(Connection& connection) {
  static const Limits other_limits;
  connection.send("text");
  connection.send(std::span<const std::byte>{});
  connection.send(SharedBuffer::copy_of("shared"));
  connection.send(SharedBuffer{});
  connection.pause();
  connection.resume();
  connection.set_limits(other_limits);
  (void)connection.local();
  (void)connection.peer();
  (void)connection.queued_bytes();
  (void)connection.last_activity();
}

}  // namespace

TEST_CASE("connection: states have names") {
  CHECK(to_string(State::connecting) == "connecting");
  CHECK(to_string(State::open) == "open");
  CHECK(to_string(State::draining) == "draining");
  CHECK(to_string(State::closing) == "closing");
  CHECK(to_string(State::closed) == "closed");
}

CORE_CASE("connection: connecting, open, draining, closing, closed") {
  Stage stage;
  Seen& client = stage.connect();
  CHECK(client.connection->state() == State::connecting);
  stage.until([&] { return client.opened == 1 && stage.server.seen.size() == 1; }, "opened()");
  Seen& server = stage.server.seen.front();
  CHECK(client.connection->state() == State::open);
  CHECK(server.connection->state() == State::open);
  CHECK(client.connection->local() == server.connection->peer());
  CHECK(client.connection->peer() == stage.listener->local());
  CHECK(&client.connection->reactor() == &stage.reactor);
  CHECK(&client.connection->protocol() == &stage.client);
  CHECK(&client.connection->limits() == &stage.client_limits);

  client.connection->finish();
  CHECK(client.connection->state() == State::draining);
  stage.until([&] { return client.closed == 1 && server.closed == 1; }, "closed()");
  CHECK(client.reason == CloseReason::finished);
  CHECK(server.reason == CloseReason::finished);
  CHECK_FALSE(client.error);
  CHECK_FALSE(server.error);
  CHECK(server.ended == 1);
  CHECK(client.ended == 1);
  stage.settle();
  CHECK(stage.reactor.counters().open_connections == 0);
  CHECK(stage.reactor.counters().accepted == 1);
  CHECK(stage.reactor.counters().connected == 1);
  CHECK(stage.reactor.counters().closed_total() == 2);
  CHECK(stage.count(CloseReason::finished) == 2);
}

CORE_CASE("connection: abort() while connecting") {
  Stage stage;
  Seen& client = stage.connect();
  client.connection->abort();
  CHECK(client.connection->state() == State::closing);
  CHECK(client.closed == 0);
  stage.until([&] { return client.closed == 1; }, "closed()");
  CHECK(client.opened == 0);
  CHECK(client.reason == CloseReason::aborted);
  stage.settle();
}

CORE_CASE("connection: abort() while open loses the output, and the peer sees a reset") {
  Stage stage;
  Pair pair = stage.pair();
  pair.client.connection->send("this gets lost");
  pair.client.connection->abort();
  CHECK(pair.client.connection->state() == State::closing);
  CHECK(pair.client.closed == 0);
  stage.until_closed(pair);
  CHECK(pair.client.reason == CloseReason::aborted);
  CHECK_FALSE(pair.client.error);
  CHECK(pair.server.reason == CloseReason::reset_by_peer);
  CHECK(pair.server.error == std::errc::connection_reset);
  CHECK(pair.server.ended == 0);
  CHECK(pair.server.received.empty());
}

CORE_CASE("connection: abort() while draining") {
  Stage stage;
  stage.server.on_ended = [](Connection&) {};
  Pair finished = stage.pair();
  finished.client.connection->finish();
  stage.until([&] { return finished.server.ended == 1; }, "the end");
  finished.client.connection->abort();
  stage.until([&] { return finished.client.closed == 1; }, "closed()");
  CHECK(finished.client.reason == CloseReason::aborted);
  finished.server.connection->send("who is there");
  stage.until([&] { return finished.server.closed == 1; }, "the reset");
  CHECK(finished.server.reason == CloseReason::reset_by_peer);

  Pair closed = stage.pair();
  closed.client.connection->close();
  closed.client.connection->abort();
  stage.until([&] { return closed.client.closed == 1; }, "closed()");
  CHECK(closed.client.reason == CloseReason::aborted);
  CHECK(stage.count(CloseReason::aborted) == 2);
}

CORE_CASE("connection: of several causes to close, the first wins") {
  Stage stage;
  Pair pair = stage.pair();
  pair.client.connection->abort();
  pair.client.connection->abort();
  pair.client.connection->close();
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.reason == CloseReason::aborted);
  CHECK(stage.count(CloseReason::aborted) == 1);
}

CORE_CASE("connection: close() while connecting is no connection at all") {
  Stage stage;
  Seen& client = stage.connect();
  client.connection->close();
  CHECK(client.connection->state() == State::closing);
  stage.until([&] { return client.closed == 1; }, "closed()");
  CHECK(client.opened == 0);
  CHECK(client.reason == CloseReason::closed_locally);
}

CORE_CASE("connection: every call is legal in every state, and sends only in open") {
  Stage stage;
  stage.server.on_ended = [](Connection&) {};
  stage.server.on_closed = [](Connection& connection, CloseReason) {
    poke(connection);
    connection.finish();
    connection.close();
    connection.abort();
    CHECK(connection.state() == State::closed);
    CHECK(connection.local() == Endpoint{});
    CHECK(connection.peer() == Endpoint{});
  };
  stage.client.on_closed = stage.server.on_closed;
  Seen& client = stage.connect();
  poke(*client.connection);
  CHECK(client.connection->state() == State::connecting);
  CHECK(client.connection->queued_bytes() == 0);
  stage.until([&] { return client.opened == 1 && stage.server.seen.size() == 1; }, "opened()");
  Seen& server = stage.server.seen.front();
  stage.settle();
  CHECK(server.received.empty());

  poke(*client.connection);
  stage.until([&] { return server.received.size() == 10; }, "what was sent in open");
  CHECK(server.received == "textshared");

  client.connection->finish();
  const bool is_plain = !client.connection->tls();  // TLS says the end in bytes
  const std::size_t goodbye = client.connection->queued_bytes();
  if (is_plain) CHECK(goodbye == 0);
  poke(*client.connection);
  CHECK(client.connection->queued_bytes() == goodbye);
  stage.until([&] { return server.ended == 1; }, "the end");
  poke(*client.connection);
  CHECK(client.connection->queued_bytes() == 0);
  poke(*server.connection);  // half-open: it may still send
  stage.until([&] { return client.received.size() == 10; }, "what was sent after the peer's end");

  server.connection->close();
  const std::size_t queued = server.connection->queued_bytes();
  if (is_plain) CHECK(queued == 0);
  poke(*server.connection);
  CHECK(server.connection->queued_bytes() == queued);
  stage.until([&] { return client.closed == 1 && server.closed == 1; }, "closed()");
  CHECK(client.received == "textshared");
  CHECK(server.received == "textshared");
}

CORE_CASE("connection: finish() says the end after the bytes before it, and input goes on") {
  Stage stage;
  Pair pair = stage.pair();
  std::string heard;
  stage.server.on_received = [&](Connection&, auto bytes) { heard += text_of(bytes); };
  stage.server.on_ended = [&](Connection& connection) {
    heard += "|end";
    CHECK(connection.state() == State::open);
  };
  pair.client.connection->send("all that I have");
  pair.client.connection->finish();
  pair.client.connection->send("dropped");
  stage.until([&] { return pair.server.ended == 1; }, "the end");
  CHECK(heard == "all that I have|end");
  CHECK(pair.server.connection->peer_ended());
  CHECK_FALSE(pair.client.connection->peer_ended());
  CHECK(pair.client.connection->state() == State::draining);

  // Late data, over several turns, then the other end.
  for (int i = 0; i < 3; ++i) {
    pair.server.connection->send("late ");
    stage.settle();
  }
  CHECK(pair.client.received == "late late late ");
  CHECK(pair.client.closed == 0);
  pair.server.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.reason == CloseReason::finished);
  CHECK(pair.server.reason == CloseReason::finished);
  CHECK(pair.client.ended == 1);
}

CORE_CASE("connection: both ends finish at once") {
  Stage stage;
  Pair pair = stage.pair();
  pair.client.connection->send("from the client");
  pair.server.connection->send("from the server");
  pair.client.connection->finish();
  pair.server.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.received == "from the server");
  CHECK(pair.server.received == "from the client");
  CHECK(stage.count(CloseReason::finished) == 2);
}

CORE_CASE("connection: by default the peer's end is answered by ours, after our output") {
  Stage stage;
  constexpr std::size_t bytes = std::size_t{4} << 20;
  const std::string text = Pattern(1).text(0, bytes);
  stage.client.keeps_bytes = false;
  Pair pair = stage.pair();
  std::uint64_t checked = 0;
  stage.client.on_received = [&](Connection&, auto received) {
    CHECK(Pattern(1).matches(checked, received));
    checked += received.size();
  };
  pair.server.connection->send(text);
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(checked == bytes);
  CHECK(pair.client.ended == 1);
  CHECK(pair.client.reason == CloseReason::finished);
  CHECK(pair.server.reason == CloseReason::finished);
}

CORE_CASE("connection: what is sent inside received() after the last word is dropped") {
  using Received = void (*)(Connection&, std::span<const std::byte>);
  const auto drops = [](bool finished_before, Received on_received) {
    Stage stage;
    Pair pair = stage.pair();
    stage.client.on_ended = stage.server.on_ended = [](Connection&) {};
    stage.server.on_received = on_received;
    if (finished_before) pair.server.connection->finish();
    stage.settle();
    pair.client.connection->send("question");
    stage.until([&] { return pair.server.receives > 0; }, "the question");
    stage.settle();
    CHECK(pair.client.received.empty());
    pair.client.connection->finish();
    stage.until_closed(pair);
    CHECK(pair.client.reason == CloseReason::finished);
  };
  drops(true, [](Connection& connection, auto bytes) { connection.send(bytes); });
  drops(false, [](Connection& connection, auto bytes) {
    connection.finish();
    connection.send(bytes);
  });
  drops(false, [](Connection& connection, auto bytes) {
    connection.close();
    connection.send(bytes);
  });
}

CORE_CASE("connection: a reply and then finish(), close() or abort() inside received()") {
  for (const Leave leave : ways_to_leave) {
    Stage stage;
    Pair pair = stage.pair();
    stage.server.on_received = [leave](Connection& connection, auto bytes) {
      connection.send(bytes);
      CHECK(connection.queued_bytes() >= bytes.size());
      if (Recorder::of(connection).received_bytes == 8) (connection.*leave)();
    };
    pair.client.connection->send("question");
    stage.until_closed(pair);
    const bool aborts = leave == &Connection::abort;
    if (!aborts) CHECK(pair.client.received == "question");
    CHECK(pair.client.ended == (aborts ? 0 : 1));
    CHECK((pair.client.reason == CloseReason::reset_by_peer) == aborts);
  }
}

CORE_CASE("connection: leaving inside opened(), ended() and drained()") {
  Limits limits;
  limits.output_high_bytes = 1000;
  limits.output_low_bytes = 100;
  for (const Leave leave : ways_to_leave) {
    Stage stage(limits);
    const auto leaves = [leave](Connection& connection) { (connection.*leave)(); };
    stage.server.on_opened = leaves;
    // Its peer may hear of the reset before it has heard that it is connected.
    const Seen& first = stage.connect();
    stage.until([&] { return first.closed == 1 && stage.server.closed_count() == 1; }, "the end");
    stage.server.on_opened = {};

    stage.server.on_ended = leaves;
    Pair second = stage.pair();
    second.client.connection->finish();
    stage.until_closed(second);

    stage.server.on_drained = leaves;
    Pair third = stage.pair();
    third.server.connection->send(std::string(5000, 'x'));
    stage.until_closed(third);
    CHECK(third.server.drained == 1);
    CHECK(stage.reactor.counters().accepted == 3);
    CHECK(stage.reactor.counters().closed_total() == 6);
  }
}

CORE_CASE("connection: connections that end each other within one batch of news") {
  constexpr std::size_t count = 40;
  for (const Leave leave : ways_to_leave) {
    Stage stage;
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < count; ++i) pairs.push_back(stage.pair());
    int heard = 0;
    stage.server.on_received = [&](Connection& connection, auto bytes) {
      ++heard;
      for (const Pair& pair : pairs) {
        if (pair.server.connection == nullptr) continue;
        pair.server.connection->send(bytes);
        if (pair.server.connection != &connection) (pair.server.connection->*leave)();
      }
      (connection.*leave)();
      connection.send("dropped");
    };
    for (const Pair& pair : pairs) pair.client.connection->send("now");
    for (const Pair& pair : pairs) stage.until_closed(pair);
    CHECK(heard >= 1);
    for (const Pair& pair : pairs) {
      CHECK(pair.server.closed == 1);
      CHECK((pair.server.reason == CloseReason::aborted) == (leave == &Connection::abort));
    }
    stage.settle();
    CHECK(stage.reactor.counters().accepted == count);
    CHECK(stage.reactor.counters().closed_total() == 2 * count);
    CHECK(stage.reactor.counters().open_connections == 0);
  }
}

CORE_CASE("connection: a peer that resets is a reason and an error, once") {
  Stage stage;
  Pair pair = stage.pair();
  stage.server.on_received = [](Connection& connection, auto bytes) { connection.send(bytes); };
  for (int i = 0; i < 100; ++i) pair.client.connection->send("chatter");
  stage.reactor.turn(0ms);
  pair.client.connection->abort();
  stage.until_closed(pair);
  CHECK(pair.server.reason == CloseReason::reset_by_peer);
  const bool is_known = pair.server.error == std::errc::connection_reset ||
                        pair.server.error == std::errc::broken_pipe;
  CHECK(is_known);
  CHECK(stage.count(CloseReason::reset_by_peer) == 1);
}

CORE_CASE("connection: a sender whose peer is gone hears of it") {
  Stage stage;
  Pair pair = stage.pair();
  stage.server.on_ended = [](Connection&) {};  // stays open, half-open
  pair.client.connection->finish();
  stage.until([&] { return pair.server.ended == 1; }, "the end");
  pair.client.connection->abort();
  stage.until([&] { return pair.client.closed == 1; }, "closed()");
  for (int i = 0; i < 10 && pair.server.closed == 0; ++i) {
    pair.server.connection->send("is anybody there");
    stage.settle();
  }
  CHECK(pair.server.closed == 1);
  CHECK(pair.server.reason == CloseReason::reset_by_peer);
  CHECK(pair.server.error);
}

CORE_CASE("connection: user_data is the protocol's own from the beginning to closed()") {
  int value = 0;
  Stage stage;
  Pair pair = stage.pair();
  void* const before = pair.server.connection->user_data;
  CHECK(before == &pair.server);
  stage.server.on_closed = [&](Connection& connection, CloseReason) {
    CHECK(connection.user_data == before);
    ++value;
  };
  pair.client.connection->abort();
  stage.until_closed(pair);
  CHECK(value == 1);
}

CORE_CASE("connection: making another connection inside any callback") {
  Stage stage;
  int left = 20;
  const auto another = [&] {
    if (left-- > 0) stage.connect();
  };
  stage.client.on_opened = [&](Connection& connection) {
    another();
    connection.send("hello");
  };
  stage.server.on_received = [&](Connection& connection, auto bytes) {
    another();
    connection.send(bytes);
    if (Recorder::of(connection).received_bytes == 5) connection.finish();
  };
  stage.client.on_ended = [&](Connection& connection) {
    another();
    connection.finish();
  };
  stage.client.on_closed = [&](Connection&, CloseReason) { another(); };
  stage.connect();
  stage.until([&] { return left <= 0 && stage.client.closed_count() == stage.client.seen.size(); },
              "all to close");
  CHECK(stage.client.seen.size() == 21);
  for (const Seen& each : stage.client.seen) {
    CHECK(each.received == "hello");
    CHECK(each.reason == CloseReason::finished);
  }
}

CORE_CASE("connection: trying again in closed() does not hold up the turn") {
  Recorder protocol;
  Limits limits;
  Reactor reactor;
  ConnectOptions options;
  options.source = Endpoint::ipv4({192, 0, 2, 77}, 0);  // not ours: the attempt fails on the spot
  Connector connector(reactor, protocol, limits, options);
  int tries = 0;
  protocol.on_closed = [&](Connection&, CloseReason reason) {
    CHECK(reason == CloseReason::connect_failed);
    if (++tries < 50) connector.connect(loopback(1));
  };
  connector.connect(loopback(1));
  reactor.turn(0ms);
  CHECK(tries <= 2);
  until(
      reactor, [&] { return tries == 50; }, "all tries");
  reactor.turn(0ms);
  CHECK(reactor.counters().open_connections == 0);
}

CORE_CASE("connection: a reactor that is destroyed tells every connection") {
  Recorder server;
  Recorder client;
  const Limits limits;
  {
    Reactor reactor;
    Listener listener(reactor, loopback(), server, limits);
    Connector connector(reactor, client, limits);
    for (int i = 0; i < 10; ++i) client.adopt(connector.connect(listener.local()));
    until(
        reactor, [&] { return server.seen.size() == 10; }, "ten connections");
    for (Seen& each : client.seen) {
      if (each.connection != nullptr) each.connection->send(std::string(100'000, 'x'));
    }
    reactor.turn(0ms);
    client.adopt(connector.connect(listener.local()));  // and one that is connecting
  }
  for (const Seen& each : client.seen) CHECK(each.closed == 1);
  for (const Seen& each : server.seen) CHECK(each.closed == 1);
  CHECK(client.seen.back().reason == CloseReason::aborted);
}
