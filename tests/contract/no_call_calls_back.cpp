// Rule 5: owners hear of things through next() only.
//
// `Owner::completed` of a test's End only counts that it was called, and Loop looks at the count
// after every call it makes.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// Every call, at a moment when it has something to tell at once.
RULE_CASE(no_call_calls_back, no_call_calls_back) {
  Loop loop;
  End& listener = loop.attach(Loop::listening(loopback()));
  End& client = loop.dial(loop.local(listener));
  loop.until([&] { return client.connected; }, "the connection");
  loop.accept(listener);
  loop.until([&] { return !listener.accepted.empty(); }, "the accept");
  End& server = loop.attach_accepted(listener);

  loop.write(client, std::string(1 << 20, 'x'));
  loop.receive(server);
  loop.stop(server);
  loop.receive(server);
  loop.receive(server);
  loop.write(server, "answer");
  loop.receive(client);
  End& refused = loop.dial(loop.local(client));
  loop.close(refused);
  loop.stop(listener, Operation::accept);
  loop.accept(listener);
  loop.poller().wake();
  loop.close(client);
  loop.close(server);
  loop.close(listener);
  loop.until([&] { return client.closed && server.closed && listener.closed; }, "the closes");
  for (const End* end : {&client, &server, &listener, &refused}) EXPECT_EQUAL(end->called_back, 0);
}

// Nothing has finished before the first wait, and once a turn has ended it stays ended.
RULE_CASE(no_call_calls_back, completions_come_of_waits) {
  Loop loop;
  Completion completion;
  EXPECT(!loop.poller().next(completion));
  End& listener = loop.listen();
  End& client = loop.dial(loop.local(listener));
  loop.until([&] { return client.connected && !listener.accepted.empty(); }, "the pair");
  End& server = loop.attach_accepted(listener);
  loop.receive(server);
  loop.settle();
  const std::uint64_t before = server.completions;
  loop.write(client, "x");
  EXPECT_EQUAL(server.completions, before);
  loop.until([&] { return server.received_count == 1; }, "the byte");
}

// A dialogue inside its own completions: a hundred thousand answers need no more stack than one.
CONTRACT_CASE(dialogue_inside_completions) {
  Loop loop;
  auto [client, server] = loop.pair();
  const std::size_t rounds = Case::scaled(20'000);
  const auto answer = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive || completion.bytes.empty()) return;
    loop.write(end, std::string(text_of(completion.bytes)));
  };
  client.keep_bytes = server.keep_bytes = false;
  client.then = server.then = answer;
  loop.receive(client);
  loop.receive(server);
  loop.write(client, "ball");
  loop.until([&, &client = client] { return client.received_count >= 4 * rounds; }, "the rounds");
}

}  // namespace tern::test
