// Rule 7: a peer that vanishes is an error value; no signal, no exception, no lost descriptor.
#include "tests/contract/support/contract_case.hpp"
#include "tests/contract/support/resources.hpp"
#include "tests/support/temporary_path.hpp"

namespace tern::test {
namespace {

bool is_vanished(const std::error_code& error) {
  return error == std::errc::connection_reset || error == std::errc::broken_pipe;
}

}  // namespace

// Reset while we receive, while we send, and while we do both; a thousand times none is lost.
RULE_CASE(vanished_peer_is_a_value, vanished_peer_is_a_value) {
  Loop loop;
  End& listener = loop.listen();
  loop.settle();
  const std::size_t sockets = open_sockets();
  for (int round = 0; round < 300; ++round) {
    auto [client, server] = loop.pair_through(listener);
    const bool receives = round % 3 != 1;
    const bool sends = round % 3 != 0;
    if (receives) loop.receive(server);
    if (sends) loop.write(server, std::string(16'000'000, 'x'));
    if (round % 2 == 0) loop.turn(Duration::zero());
    loop.reset(client);
    loop.until(
        [&, &server = server] {
          return (!receives || server.finished()) && (!sends || server.send_error);
        },
        "the peer's reset");
    if (receives && !sends) EXPECT(server.receive_error == std::errc::connection_reset);
    if (sends) EXPECT_NOTE(is_vanished(server.send_error), server.send_error.message());
    if (server.receive_error) EXPECT(is_vanished(server.receive_error));
    loop.close_and_forget(server);
    loop.until([&client = client] { return client.closed; }, "the close");
    loop.forget(client);
  }
  EXPECT_EQUAL(open_sockets(), sockets);
}

// Sending to a peer that closed: the first send may be taken, a later one tells. On some systems
// that is a signal which ends the process, unless the poller prevents it.
RULE_CASE(vanished_peer_is_a_value, sending_to_the_gone) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.close_and_forget(client);
  std::size_t offers = 0;
  loop.until(
      [&, &server = server] {
        if (!server.sending && !server.send_error) loop.offer(server, "anybody there?");
        EXPECT_NOTE(++offers < 10'000, "the peer is gone and nobody says so");
        if (!server.send_error) loop.turn(1ms);
        return static_cast<bool>(server.send_error);
      },
      "the send's error");
  EXPECT_NOTE(is_vanished(server.send_error), server.send_error.message());
  loop.close_and_forget(server);
}

// Nothing can be sent to nobody: all of it is taken at once, and no completion follows.
CONTRACT_CASE(sending_nothing_to_the_gone) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.reset(client);
  loop.until([&client = client] { return client.closed; }, "the client's close");
  loop.settle();
  EXPECT_EQUAL(loop.offer(server, std::string_view{}), 0U);
  const std::array<Slice, 3> empty{};
  EXPECT_EQUAL(loop.offer(server, empty), 0U);
  loop.settle();
  EXPECT_EQUAL(server.sends, 0U);
}

// The same on a Unix socket, which has its own ways to end: not every system resets one on request.
CONTRACT_CASE(sending_to_the_gone_on_a_unix_socket) {
  Loop loop;
  const TemporaryPath path;
  End& listener = loop.listen(*Endpoint::local(path.string()));
  for (const bool resets : {false, true}) {
    auto [client, server] = loop.pair_through(listener);
    loop.receive(server);
    if (resets) {
      loop.reset(client);
    } else {
      loop.close(client);
    }
    loop.until([&server = server] { return server.finished(); }, "the peer's news");
    for (int offers = 0; offers < 1000 && !server.send_error; ++offers) {
      if (!server.sending) loop.offer(server, "x");
      loop.turn(1ms);
    }
    EXPECT_NOTE(is_vanished(server.send_error), server.send_error.message());
  }
}

// A reset that comes while receiving is stopped wakes the loop at most a few times, and is told
// when the order is given again.
RULE_CASE(vanished_peer_is_a_value, paused_peer_reset) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "before");
  loop.until([&server = server] { return server.received_count == 6; }, "the bytes before");
  loop.stop(server);
  loop.reset(client);
  loop.until([&client = client] { return client.closed; }, "the client's close");
  const std::size_t turns = loop.turns_during(50ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  EXPECT(!server.finished());
  loop.receive(server);
  loop.until([&server = server] { return server.finished(); }, "the reset");
  EXPECT(server.receive_error == std::errc::connection_reset);
  const std::size_t later_turns = loop.turns_during(50ms);
  EXPECT_NOTE(later_turns <= calm_turns_max, "turns: " + std::to_string(later_turns));
}

// The same with much to read before an orderly end: no wake-up per packet while stopped.
RULE_CASE(vanished_peer_is_a_value, paused_peer_close) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "before");
  loop.until([&server = server] { return server.received_count == 6; }, "the bytes before");
  loop.stop(server);
  const std::string text = Pattern(run.seed()).text(0, 10'000'000);
  loop.write(client, text);
  // Until the kernel takes no more: this much is under way to a peer that does not read.
  loop.settle();
  const std::size_t turns = loop.turns_during(50ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  EXPECT_EQUAL(server.received_count, 6U);
  loop.receive(server);
  loop.until([&client = client] { return Loop::written(client); }, "all to be taken");
  loop.stop(server);
  loop.close(client);
  loop.until([&client = client] { return client.closed; }, "the client's close");
  const std::size_t closed_turns = loop.turns_during(50ms);
  EXPECT_NOTE(closed_turns <= calm_turns_max, "turns: " + std::to_string(closed_turns));
  loop.receive(server);
  loop.until([&server = server] { return server.finished(); }, "the end");
  EXPECT(server.ended);
  EXPECT(server.received == "before" + text);
}

// A channel that neither receives nor sends is quiet when its peer vanishes: the kernel's hints
// cannot be masked, and nobody consumes them.
RULE_CASE(vanished_peer_is_a_value, idle_channel_of_a_vanished_peer_is_quiet) {
  Loop loop;
  for (const bool resets : {true, false}) {
    auto [client, server] = loop.pair();
    if (resets) {
      loop.reset(client);
    } else {
      loop.close(client);
    }
    loop.until([&client = client] { return client.closed; }, "the client's close");
    const std::size_t turns = loop.turns_during(50ms);
    EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
    EXPECT_EQUAL(server.completions, 0U);
    loop.close_and_forget(server);
  }
}

}  // namespace tern::test
