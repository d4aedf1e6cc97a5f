// What a turn costs while handshakes wait for theirs.
#include <vector>

#include "tests/support/allocations.hpp"
#include "tests/support/stage.hpp"
#include "tests/unit/tls/raw.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// So many clients have sent the first byte of their hello. Returns what the next turn allocates.
std::size_t allocations_of_a_turn(std::size_t waiting) {
  Stage stage;
  stage.connect_options.tls = nullptr;
  std::vector<Seen*> clients;
  for (std::size_t i = 0; i < waiting; ++i) {
    clients.push_back(&stage.connect());
    stage.until([&] { return stage.reactor.counters().accepted == i + 1; }, "a client");
  }
  stage.until([&] { return stage.reactor.counters().connected == waiting; }, "all clients");
  RawTls hello;
  hello.handshake();
  const std::string first = hello.ciphertext().substr(0, 1);
  for (Seen* client : clients) client->connection->send(first);
  const auto received = [&] { return stage.reactor.counters().received_bytes; };
  const std::uint64_t all = received() + waiting;
  while (received() < all) stage.reactor.turn(Duration::zero());
  const std::size_t before = allocations();
  stage.reactor.turn(Duration::zero());
  return allocations() - before;
}

}  // namespace

TEST_CASE("tls turns: a turn costs the same, however many handshakes wait for theirs") {
  // As many have had their turn, of each: the rest of the few still fills this one.
  const std::size_t few = allocations_of_a_turn(40);
  CHECK(allocations_of_a_turn(120) == few);
  CHECK(few > 0);
}
