// What is allocated while messages flow: nothing, once each part has the memory it needs.
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/support/stage.hpp"
#include "tools/tern/echo/protocol.hpp"

namespace {

// Of the whole program, by any thread.
std::atomic<std::size_t> allocations{0};
// Whether the next ones fail.
bool is_memory_short = false;

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (is_memory_short) throw std::bad_alloc();
  void* memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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
    const std::size_t before = allocations;
    REQUIRE(before > 0);
    run(10'000);
    CHECK(allocations - before == 0);
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
      is_memory_short = true;
      CHECK_THROWS_AS(connection.send(large), std::bad_alloc);
      is_memory_short = false;
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
      is_memory_short = true;
      CHECK_THROWS_AS(server.send(large), std::bad_alloc);
      is_memory_short = false;
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
