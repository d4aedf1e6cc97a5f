// Rule 1: received bytes are valid until the next next(), and the poller's buffer is all there is.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// While a completion is in hand, every other call may be made: the bytes stay as they are.
RULE_CASE(bytes_are_the_pollers, bytes_are_the_pollers) {
  PollerOptions options;
  options.receive_bytes = 4096;
  Loop loop(options);
  auto [client, server] = loop.pair();
  auto [other_client, other_server] = loop.pair();
  End& bystander = loop.pair().server;
  const Pattern pattern(run.seed());
  const Pattern other_pattern(run.seed() + 1);
  const std::size_t total = 8 * options.receive_bytes + 17;

  // What the poller may confuse the bytes in hand with: bytes that come and go meanwhile.
  const auto disturb = [&, &other_client = other_client, &other_server = other_server] {
    loop.receive(bystander);
    loop.stop(bystander);
    loop.write(other_client, "xy");
    loop.write(other_server, "z");
    End& fresh = loop.attach(Loop::streaming());
    loop.close(fresh);
    loop.poller().wake();
  };
  const auto check = [&](const Pattern& expected, End& end, const Completion& completion) {
    if (completion.operation != Operation::receive || completion.bytes.empty()) return;
    EXPECT(completion.bytes.size() <= options.receive_bytes);
    const std::uint64_t position = end.received_count - completion.bytes.size();
    EXPECT_NOTE(expected.matches(position, completion.bytes), "the bytes are not what was sent");
    disturb();
    EXPECT_NOTE(expected.matches(position, completion.bytes), "the bytes changed in our hands");
  };
  server.keep_bytes = client.keep_bytes = false;
  server.then = [&](End& end, const Completion& completion) { check(pattern, end, completion); };
  client.then = [&](End& end, const Completion& completion) {
    check(other_pattern, end, completion);
  };
  loop.receive(server);
  loop.receive(client);
  loop.write(client, pattern.text(0, total));
  loop.write(server, other_pattern.text(0, total));
  loop.until(
      [&, &server = server, &client = client] {
        return server.received_count == total && client.received_count == total;
      },
      "both streams");
}

// The option is heeded at its ends: a chunk is never longer, and one byte is enough to live on.
RULE_CASE(bytes_are_the_pollers, receive_buffer_of_any_size) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{4095},
                                 std::size_t{65'536}, std::size_t{16} << 20U}) {
    PollerOptions options;
    options.receive_bytes = size;
    Loop loop(options);
    auto [client, server] = loop.pair();
    const Pattern pattern(run.seed());
    const std::size_t total = 3 * std::min<std::size_t>(size, 100'000) + 1;
    server.then = [&](End&, const Completion& completion) {
      if (completion.operation == Operation::receive) EXPECT(completion.bytes.size() <= size);
    };
    loop.receive(server);
    loop.write(client, pattern.text(0, total));
    loop.until([&, &server = server] { return server.received_count >= total; }, "the stream");
    EXPECT(server.received == pattern.text(0, total));
  }
}

// A poller that receives in a shared buffer must not mix what many channels got in one turn.
RULE_CASE(bytes_are_the_pollers, many_channels_in_one_turn) {
  Loop loop;
  constexpr std::size_t count = 64;
  std::vector<End*> servers;
  for (std::size_t index = 0; index < count; ++index) {
    auto [client, server] = loop.pair();
    servers.push_back(&server);
    loop.write(client, Pattern(index).text(0, 1000 + index));
  }
  for (End* server : servers) loop.receive(*server);
  for (std::size_t index = 0; index < count; ++index) {
    loop.until([&] { return servers[index]->received_count >= 1000 + index; }, "its bytes");
    EXPECT(servers[index]->received == Pattern(index).text(0, 1000 + index));
  }
}

}  // namespace tern::test
