// Closing and stopping against what finishes at the same time, in great numbers.
#include "tests/contract/contract_case.hpp"

namespace tern::test {

// Close with everything pending, a hundred thousand times. The kernel may have been handed any of
// it; freed owners and buffers are watched by the address sanitizer.
CONTRACT_CASE(close_with_everything_pending) {
  Loop<P> loop;
  End& listener = loop.listen();
  Random& random = run.random();
  const std::size_t rounds = Case::scaled(25'000);  // four closes each: two pairs' worth
  const std::string text = Pattern(run.seed()).text(0, 300'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<End*> ends;
    if (round % 50 != 0) {
      // Most rounds: sockets that have nothing but a connect under way.
      for (int index = 0; index < 4; ++index) ends.push_back(&loop.attach(Loop<P>::streaming()));
      if (random.one_in(20)) loop.connect(*ends[0], loop.local(listener));
    } else {
      for (int index = 0; index < 2; ++index) {
        auto [client, server] = loop.pair_through(listener);
        for (End* end : {&client, &server}) {
          if (!random.one_in(4)) loop.receive(*end);
          if (!random.one_in(4)) loop.write(*end, text.substr(0, 1 + random.below(text.size())));
          ends.push_back(end);
        }
      }
    }
    for (std::size_t turns = random.below(2); turns > 0; --turns) loop.turn(Duration::zero());
    for (End* end : ends) {
      if (random.one_in(8)) {
        loop.reset(*end);
      } else {
        loop.close(*end);
      }
    }
    const auto closed = [](const End* end) { return end->closed; };
    loop.until([&] { return std::all_of(ends.begin(), ends.end(), closed); }, "the closes");
    for (End* end : ends) loop.forget(*end);
    while (!listener.accepted.empty()) {
      Loop<P>::Sockets::close(listener.accepted.front());
      listener.accepted.pop_front();
    }
  }
}

// stop() races with bytes that arrive: each byte is delivered once, in order, before or after.
RULE_CASE(close_is_last, cancel_against_complete) {
  Loop<P> loop;
  Random& random = run.random();
  auto [client, server] = loop.pair();
  const Pattern pattern(run.seed());
  server.keep_bytes = false;
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive) return;
    EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
  };
  std::uint64_t sent = 0;
  const std::size_t rounds = Case::scaled(10'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t count = 1 + random.below(600);
    if (random.one_in(2)) loop.receive(server);
    loop.write(client, pattern.text(sent, count));
    sent += count;
    if (random.one_in(2)) loop.turn(Duration::zero());
    if (random.one_in(2)) loop.stop(server);
    if (random.one_in(2)) loop.turn(Duration::zero());
    if (random.one_in(4)) loop.receive(server);
  }
  loop.receive(server);
  loop.until([&, &server = server] { return server.received_count == sent; }, "every byte");
  loop.finish_sending(client);
  loop.until([&server = server] { return server.ended; }, "the end");
}

// The receiver closes while the sender sends: nothing is delivered twice or after the close, and
// the sender hears of it as an error or not at all.
RULE_CASE(close_is_last, close_against_complete) {
  Loop<P> loop;
  Random& random = run.random();
  const Pattern pattern(run.seed());
  const std::size_t rounds = Case::scaled(500);
  for (std::size_t round = 0; round < rounds; ++round) {
    auto [client, server] = loop.pair();
    server.keep_bytes = false;
    server.then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive || completion.error) return;
      EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
    };
    loop.receive(server);
    loop.receive(client);
    loop.write(client, pattern.text(0, 1 + random.below(400'000)));
    for (std::size_t turns = random.below(6); turns > 0; --turns) loop.turn(Duration::zero());
    loop.close_and_forget(server);
    loop.settle(2, Duration::zero());
    loop.close_and_forget(client);
  }
}

}  // namespace tern::test
