// What is allocated while messages flow: nothing, once each part has the memory it needs.
#include "tests/support/allocations.hpp"
#include "tests/support/stage.hpp"
#include "tools/tern/echo/protocol.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// Sends `pieces` of 64 bytes a turn, and the next ones when all of them are back.
class PingPong final : public Protocol {
 public:
  explicit PingPong(std::size_t pieces) : pieces_(pieces) {}

  void opened(Connection& connection) override { ask(connection); }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    received_ += bytes.size();
    if (received_ < pieces_ * message_.size()) return;
    received_ = 0;
    ++rounds;
    ask(connection);
  }

  std::size_t rounds = 0;

 private:
  void ask(Connection& connection) {
    for (std::size_t i = 0; i < pieces_; ++i) connection.send(message_);
  }

  std::size_t pieces_;
  std::size_t received_ = 0;
  std::array<std::byte, 64> message_{};
};

}  // namespace

TEST_CASE("allocation: none for a message, alone, in a batch, or passed through the queue") {
  for (const std::size_t pieces : {1U, 16U}) {
    tool::Echo echo;
    PingPong client(pieces);
    const Limits limits;
    Reactor reactor;
    Listener listener(reactor, loopback(), echo, limits);
    Connector connector(reactor, client, limits);
    for (int i = 0; i < 5; ++i) connector.connect(listener.local());
    const auto run = [&](std::size_t rounds) {
      const std::size_t end = client.rounds + rounds;
      until(
          reactor, [&] { return client.rounds >= end; }, "the echoes");
    };
    run(1000);
    const std::size_t before = allocations();
    REQUIRE(before > 0);
    run(10'000);
    CHECK(allocations() - before == 0);
  }
}

// The reply is no part of the queue yet, and is not lost with what does not fit behind it.
TEST_CASE("allocation: a reply survives a send() for which there is no memory") {
  const std::string large(100'000, 'x');
  for (const bool is_room : {false, true}) {  // for the reply, in the queue
    CAPTURE(is_room);
    Stage stage;
    Pair pair = stage.pair();
    if (is_room) {
      pair.server.connection->send("a block and a queue that are kept");
      stage.settle();
      pair.client.received.clear();
    }
    stage.server.on_received = [&](Connection& connection, auto) {
      connection.send("head");
      {
        const MemoryShortage shortage;
        CHECK_THROWS_AS(connection.send(large), std::bad_alloc);
      }
      CHECK(connection.queued_bytes() == 4);
      connection.finish();
    };
    pair.client.connection->send("?");
    stage.until([&] { return pair.client.ended == 1; }, "the end");
    CHECK(pair.client.received == "head");
    stage.until_closed(pair);
  }
}

// On a busy connection and on one that has nothing queued, behind copies and behind shared buffers.
TEST_CASE("allocation: a send() for which there is no memory leaves the connection as it was") {
  const std::string large(100'000, 'x');
  const SharedBuffer shared = SharedBuffer::copy_of(large);
  for (const int queued : {0, 1, 2, 4, 7}) {
    Stage stage;
    Pair pair = stage.pair();
    Connection& server = *pair.server.connection;
    std::size_t expected = 0;
    for (int i = 0; i < queued; ++i) {
      server.send(shared);
      expected += large.size();
    }
    for (int i = 0; i < 20; ++i) {
      const std::size_t before = server.queued_bytes();
      {
        const MemoryShortage shortage;
        CHECK_THROWS_AS(server.send(large), std::bad_alloc);
      }
      CHECK(server.queued_bytes() == before);
    }
    server.send("sorry");
    server.finish();
    stage.until([&] { return pair.client.ended == 1; }, "the end");
    CHECK(pair.client.received_bytes == expected + 5);
    CHECK(pair.client.received.ends_with("sorry"));
    stage.until_closed(pair);
  }
}

// Needs no memory itself.
class Silent final : public Protocol {
 public:
  void opened(Connection&) override { ++opened_count; }
  void received(Connection&, std::span<const std::byte>) override {}

  std::uint64_t opened_count = 0;
};

// Clients come until every table and pool has to grow, which fails.
TEST_CASE("allocation: a client for whom there is no memory is refused, and the next one served") {
  // Its stand-in is a kernel that lives on our memory; IOCP's operations need some for each wait.
  if (Reactor::poller_name() == "kqueue" || Reactor::poller_name() == "iocp") return;
  Silent served;
  Silent clients;
  const Limits limits;
  Reactor reactor;
  Listener listener(reactor, loopback(), served, limits);
  Reactor client_reactor;
  Connector connector(client_reactor, clients, limits);
  const auto turn = [&](bool is_short) {
    client_reactor.turn(Duration::zero());
    std::optional<MemoryShortage> shortage;
    if (is_short) shortage.emplace();
    reactor.turn(Duration::zero());
  };
  const auto connect = [&](bool is_short) {
    const auto seen_by_both = [&] {
      const Counters& server = reactor.counters();
      const Counters& client = client_reactor.counters();
      return std::min(server.accepted + server.refused, client.connected);
    };
    const std::uint64_t before = seen_by_both();
    connector.connect(listener.local());
    while (seen_by_both() == before) turn(is_short);
  };
  const auto counters = [&]() -> const Counters& { return reactor.counters(); };
  while (counters().accepted < 300) {
    const std::uint64_t refused = counters().refused;
    connect(true);
    if (counters().refused == refused) continue;
    connect(false);  // there is memory again
    CHECK(counters().refused == refused + 1);
  }
  CHECK(counters().refused >= 300 / 64);
  CHECK(served.opened_count == reactor.counters().accepted);
}
