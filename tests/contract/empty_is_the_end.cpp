// Rule 3: an empty receive is the end: once, after every byte, and sending still works.
#include "tests/contract/support/contract_case.hpp"
#include "tests/support/temporary_path.hpp"

namespace tern::test {
namespace {

// Half-closes in one direction, answers in the other, half-closes there.
void half_close_both_ways(Loop& loop, End& client, End& server) {
  const std::string question = Pattern(1).text(0, 100'000);
  const std::string answer = Pattern(2).text(0, 150'000);
  loop.receive(client);
  loop.receive(server);
  loop.write(client, question);
  loop.finish_sending(client);
  loop.until([&] { return server.ended; }, "the end of the question");
  EXPECT(server.received == question);
  loop.settle();
  EXPECT_NOTE(!client.finished(), "one side's end ended the other");

  loop.write(server, answer);
  loop.finish_sending(server);
  loop.until([&] { return client.ended; }, "the end of the answer");
  EXPECT(client.received == answer);
  loop.settle();
  EXPECT(!client.failed() && !server.failed());
}

}  // namespace

RULE_CASE(empty_is_the_end, empty_is_the_end) {
  Loop loop;
  auto [client, server] = loop.pair();
  half_close_both_ways(loop, client, server);
}

CONTRACT_CASE(empty_is_the_end_on_ipv6) {
  Loop loop;
  std::error_code error;
  const Socket socket = sockets().listen(loopback_ipv6(), {}, error);
  if (error) run.skip("no IPv6 here: " + error.message());
  End& listener = loop.attach(socket);
  loop.accept(listener);
  auto [client, server] = loop.pair_through(listener);
  half_close_both_ways(loop, client, server);
}

CONTRACT_CASE(empty_is_the_end_on_a_unix_socket) {
  Loop loop;
  const TemporaryPath path;
  End& listener = loop.listen(*Endpoint::local(path.string()));
  auto [client, server] = loop.pair_through(listener);
  half_close_both_ways(loop, client, server);
}

// A peer that writes, closes and is gone: all bytes, then the end, through a small buffer and with
// pauses. The hint that the peer is gone comes long before its bytes are read.
RULE_CASE(empty_is_the_end, slow_reader_gets_all_then_end) {
  PollerOptions options;
  options.receive_bytes = 1024;
  Loop loop(options);
  auto [client, server] = loop.pair();
  const std::string text = Pattern(run.seed()).text(0, 256 * 1024);
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation == Operation::receive && end.receiving) loop.stop(end);
  };
  loop.receive(server);
  loop.write(client, text);
  bool closed = false;
  std::size_t pauses = 0;
  loop.until(
      [&, &client = client, &server = server] {
        if (!closed && loop.written(client)) {
          loop.close(client);
          closed = true;
        }
        if (!server.receiving && !server.ended && ++pauses % 3 != 0) loop.receive(server);
        return server.finished();
      },
      "the end");
  EXPECT_NOTE(!server.receive_error, server.receive_error.message());
  EXPECT(server.received == text);
  EXPECT(server.receives >= 256);
}

// The end that comes while receiving is stopped waits for the order.
RULE_CASE(empty_is_the_end, end_waits_while_stopped) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "first");
  loop.until([&, &server = server] { return server.received_count == 5; }, "the first bytes");
  loop.stop(server);
  loop.write(client, "last");
  loop.finish_sending(client);
  loop.settle();
  EXPECT_EQUAL(server.received, "first");
  loop.receive(server);
  loop.until([&, &server = server] { return server.ended; }, "the end");
  EXPECT_EQUAL(server.received, "firstlast");
}

// Ordered only after everything has arrived: nothing was there to tell of the bytes but the order.
RULE_CASE(empty_is_the_end, order_after_the_end_arrived) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.write(client, "all there is");
  loop.finish_sending(client);
  loop.settle();
  loop.receive(server);
  loop.until([&, &server = server] { return server.ended; }, "the end");
  EXPECT_EQUAL(server.received, "all there is");
  loop.settle();
}

// After the end a half-open channel is quiet, in spite of the hint that stays set in the kernel.
RULE_CASE(empty_is_the_end, half_open_is_quiet) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(client);
  loop.receive(server);
  loop.shutdown_send(client);
  loop.until([&, &server = server] { return server.ended; }, "the end");
  const std::size_t turns = loop.turns_during(50ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  loop.shutdown_send(server);
  loop.until([&, &client = client] { return client.ended; }, "the other end");
  const std::size_t later_turns = loop.turns_during(50ms);
  EXPECT_NOTE(later_turns <= calm_turns_max, "turns: " + std::to_string(later_turns));
}

// An echo server that half-closes late: the client reads all of its echo after its own end.
CONTRACT_CASE(half_open_echo) {
  Loop loop;
  auto [client, server] = loop.pair();
  const std::string text = Pattern(run.seed()).text(0, 3'000'000);
  server.keep_bytes = false;
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation == Operation::receive && !completion.bytes.empty()) {
      loop.write(end, std::string(text_of(completion.bytes)));
    }
  };
  loop.receive(server);
  loop.receive(client);
  loop.write(client, text);
  loop.finish_sending(client);
  loop.until([&, &server = server] { return server.ended && loop.written(server); }, "the echo");
  loop.shutdown_send(server);
  loop.until([&, &client = client] { return client.ended; }, "the end of the echo");
  EXPECT(client.received == text);
}

// A socket that was shut down by both is closed without noise on either side.
CONTRACT_CASE(shutdown_when_the_peer_is_gone) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.close_and_forget(client);
  loop.until([&, &server = server] { return server.ended; }, "the end");
  loop.shutdown_send(server);
  loop.settle();
  EXPECT(!server.failed());
  loop.close_and_forget(server);
}

}  // namespace tern::test
