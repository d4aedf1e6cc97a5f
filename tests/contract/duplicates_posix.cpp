// Duplicated descriptors against the poller. POSIX only: elsewhere a socket has one handle.
#include <unistd.h>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// A duplicate keeps the open file alive, and with it what some kernels watch. The channel is closed
// all the same: nothing is heard of it, and what its peer still sends does not wake the loop.
CONTRACT_CASE(a_duplicate_keeps_no_watch_alive) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  const Socket socket = loop.poller().socket(server.channel);
  // A simulated socket's handle is no descriptor, and the number may be anything or nothing.
  const int duplicate = dup(static_cast<int>(socket.handle));
  loop.close_and_forget(server);
  loop.write(client, "anybody there?");
  const std::size_t turns = loop.turns_during(30ms);
  if (duplicate >= 0) ::close(duplicate);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
}

}  // namespace tern::test
