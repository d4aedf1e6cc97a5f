// TCP's urgent byte against the poller, which does not receive it. POSIX only, because it is sent
// by a raw call on a socket's descriptor; a simulated network has neither.
#include <sys/socket.h>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// Receiving stops short of an urgent byte, on some kernels without another word: what lies behind
// it must come all the same, and so must the end.
CONTRACT_CASE(what_lies_behind_an_urgent_byte_is_received) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t expected = server.received_count + 4;
    // In some rounds all of it comes before anybody receives.
    const bool waits = round % 5 == 4;
    if (waits) loop.stop(server);
    loop.write(client, "ab");
    if (round % 2 == 0) loop.turn(Duration::zero());
    const int fd = static_cast<int>(loop.poller().socket(client.channel).handle);
    EXPECT(::send(fd, "!", 1, MSG_OOB) == 1);
    if (round % 3 == 0) loop.turn(Duration::zero());
    loop.write(client, "cd");
    if (waits) {
      loop.settle();
      loop.receive(server);
    }
    loop.until([&, &server = server] { return server.received_count == expected; }, "the bytes");
  }
  const std::size_t turns = loop.turns_during(20ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  loop.finish_sending(client);
  loop.until([&server = server] { return server.ended; }, "the end");
  EXPECT(server.received.find('!') == std::string::npos);
}

}  // namespace tern::test
