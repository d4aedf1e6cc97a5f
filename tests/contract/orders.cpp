// Standing orders: given, given twice, withdrawn, given again, in great numbers.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

CONTRACT_CASE(stop_withdraws) {
  Loop loop;
  auto [client, server] = loop.pair();
  // Nothing was ordered yet.
  loop.write(client, "one");
  loop.settle();
  EXPECT_EQUAL(server.completions, 0U);
  loop.receive(server);
  loop.until([&server = server] { return server.received == "one"; }, "the first");
  // Withdrawn before anything arrives, and after.
  loop.stop(server);
  loop.write(client, "two");
  loop.settle();
  EXPECT_EQUAL(server.received, "one");
  // Given and withdrawn at once: as if it had not been.
  loop.receive(server);
  loop.stop(server);
  loop.settle();
  EXPECT_EQUAL(server.received, "one");
  loop.receive(server);
  loop.until([&server = server] { return server.received == "onetwo"; }, "the second");
}

CONTRACT_CASE(an_order_twice_is_one) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.receive(server);
  loop.write(client, "bytes");
  loop.receive(server);
  loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
  loop.receive(server);
  loop.settle();
  EXPECT_EQUAL(server.received, "bytes");
  EXPECT_EQUAL(server.receives, server.completions);
}

// Withdrawn inside its own completion: nothing more of it in this turn or later.
CONTRACT_CASE(stop_inside_the_completion) {
  PollerOptions options;
  options.receive_bytes = 100;
  Loop loop(options);
  auto [client, server] = loop.pair();
  const std::string text = Pattern(run.seed()).text(0, 10'000);
  loop.write(client, text);
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation == Operation::receive) loop.stop(end);
  };
  for (std::uint64_t receives = 1; server.received_count < text.size(); ++receives) {
    loop.receive(server);
    loop.until([&, &server = server] { return server.receives == receives; }, "one receive");
    loop.turn(Duration::zero());
    EXPECT_EQUAL(server.receives, receives);
  }
  EXPECT(server.received == text);
}

// One channel stops another whose news is later in the same batch.
CONTRACT_CASE(stop_another_in_batch) {
  Loop loop;
  std::vector<End*> servers;
  std::vector<End*> clients;
  bool stopped = false;
  for (int index = 0; index < 16; ++index) {
    auto [client, server] = loop.pair();
    server.then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive || stopped) return;
      stopped = true;
      for (End* other : servers) {
        if (other != &end) loop.stop(*other);
      }
    };
    loop.receive(server);
    servers.push_back(&server);
    clients.push_back(&client);
  }
  for (End* client : clients) loop.write(*client, "news");
  loop.until([&] { return stopped; }, "the first");
  loop.settle();
  for (End* server : servers) loop.receive(*server);
  for (End* server : servers) {
    loop.until([&] { return server->received == "news"; }, "news after the pause");
  }
}

// A million pauses, with traffic now and then; a register that grew or a change per toggle would
// show here.
CONTRACT_CASE(pause_and_resume_a_million_times) {
  Loop loop;
  auto [client, server] = loop.pair();
  const Pattern pattern(run.seed());
  server.keep_bytes = false;
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive) return;
    EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
  };
  std::uint64_t sent = 0;
  const std::size_t total = Case::scaled(1'000'000);
  for (std::size_t pause = 0; pause < total; ++pause) {
    loop.receive(server);
    if (pause % 500 == 0) {
      loop.write(client, pattern.text(sent, 100));
      sent += 100;
    }
    if (pause % 333 == 0) loop.turn(Duration::zero());
    loop.stop(server);
    if (pause % 777 == 0) loop.turn(Duration::zero());
  }
  loop.receive(server);
  loop.until([&, &server = server] { return server.received_count == sent; }, "every byte");
  const std::size_t turns = loop.turns_during(20ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  loop.close_and_forget(server);
}

// A failed attach leaves the socket with its caller; a good one takes any kind.
CONTRACT_CASE(attach_every_kind) {
  Loop loop;
  std::error_code error;
  for (const Socket socket : {Loop::streaming(), Loop::listening(loopback()),
                              sockets().datagram(loopback(), {}, {}, error)}) {
    EXPECT(socket.valid());
    End& end = loop.attach(socket);
    EXPECT(loop.poller().socket(end.channel) == socket);
    loop.close_and_forget(end);
  }
}

}  // namespace tern::test
