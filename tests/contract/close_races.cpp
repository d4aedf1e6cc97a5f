// Closing and stopping against what finishes at the same time, in great numbers.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// Close with everything pending, a hundred thousand times: on either side of a pair a receive and a
// send that does not fit, and on each of its neighbours a connect. The kernel may have been handed
// any of it; freed owners and buffers are watched by the address sanitizer.
CONTRACT_CASE(close_with_everything_pending) {
  Loop loop;
  SocketOptions small;
  small.send_buffer_bytes = small.receive_buffer_bytes = 4096;
  ListenOptions listen_options;
  listen_options.socket = small;
  End& listener = loop.listen(loopback(), listen_options);
  Random& random = run.random();
  const std::size_t rounds = Case::scaled(25'000);  // four closes each
  const std::string text = Pattern(run.seed()).text(0, 20'000);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<End*> ends;
    auto [client, server] = loop.pair_through(listener, small);
    for (End* end : {&client, &server}) {
      if (!random.one_in(8)) loop.receive(*end);
      if (!random.one_in(8)) loop.write(*end, text);
      ends.push_back(end);
      ends.push_back(&loop.attach(Loop::streaming()));
      if (random.one_in(4)) loop.connect(*ends.back(), loop.local(listener));
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
      sockets().close(listener.accepted.front());
      listener.accepted.pop_front();
    }
  }
}

// stop() races with bytes that arrive: each byte is delivered once, in order, before or after.
RULE_CASE(close_is_last, cancel_against_complete) {
  Loop loop;
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
  Loop loop;
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
