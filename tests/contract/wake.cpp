// wake(): from any thread, and many before a wait make one.
#include <atomic>
#include <thread>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

CONTRACT_CASE(a_wake_ends_the_wait) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  // Before the wait: it returns, though its limit is for ever.
  for (int round = 0; round < 100; ++round) {
    poller.wake();
    EXPECT_EQUAL(loop.turn(forever), 0U);
  }
  EXPECT(loop.counters().wakes <= 100);
}

// From another thread, at any moment of the wait.
CONTRACT_CASE(a_wake_from_another_thread) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  const std::size_t rounds = Case::scaled(2000);
  std::atomic<std::size_t> asked = 0;
  std::atomic<std::size_t> answered = 0;
  std::atomic<bool> stopped = false;
  std::thread waker([&] {
    for (std::size_t round = 1; round <= rounds && !stopped; ++round) {
      asked = round;
      poller.wake();
      while (answered < round && !stopped) std::this_thread::yield();
    }
  });
  std::string problem;
  std::size_t waits = 0;
  while (answered < rounds) {
    if (++waits > 10 * rounds + 1000) {
      problem = "the poller spins";
      break;
    }
    poller.wait(std::chrono::hours(24 * 50));
    Completion completion;
    if (poller.next(completion)) problem = "a completion came out of nothing";
    answered = asked.load();
  }
  stopped = true;
  waker.join();
  EXPECT_NOTE(problem.empty(), problem);
}

// Eight threads wake without a pause: nothing is lost, and far fewer waits than wakes come of it.
CONTRACT_CASE(wakes_from_8_threads_are_one) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  constexpr std::size_t threads_count = 8;
  const std::size_t wakes = Case::scaled(20'000);
  std::atomic<std::size_t> done = 0;
  std::vector<std::thread> threads;
  for (std::size_t index = 0; index < threads_count; ++index) {
    threads.emplace_back([&] {
      for (std::size_t wake = 0; wake < wakes; ++wake) poller.wake();
      ++done;
      poller.wake();
    });
  }
  std::size_t waits = 0;
  bool spins = false;
  while (done < threads_count && !spins) {
    poller.wait(std::chrono::hours(1));
    Completion completion;
    while (poller.next(completion)) spins = true;
    spins = spins || ++waits > threads_count * (wakes + 1) + 10;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_NOTE(!spins, "a completion of nothing, or more waits returned than there were wakes");

  // All that is left over from the burst is at most one wake.
  const std::uint64_t before = loop.counters().wakes;
  const std::size_t turns = loop.turns_during(20ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  EXPECT(loop.counters().wakes <= before + 1);
}

// Many before a wait make one, and it is not left over for the wait after.
CONTRACT_CASE(many_wakes_before_a_wait_are_one) {
  Loop loop;
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t before = loop.counters().wakes;
    for (int wake = 0; wake < 1000; ++wake) loop.poller().wake();
    loop.turn(forever);
    EXPECT(loop.counters().wakes <= before + 1);
    const std::size_t turns = loop.turns_during(2ms);
    EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
    EXPECT(loop.counters().wakes <= before + 1);
  }
}

// An idle loop with hundreds of connections and a wake behind it does nothing.
CONTRACT_CASE(idle_is_idle) {
  Loop loop;
  for (int index = 0; index < 200; ++index) {
    auto [client, server] = loop.pair();
    loop.receive(client);
    loop.receive(server);
    loop.write(client, "hello");
    loop.until([&server = server] { return server.received_count == 5; }, "the greeting");
  }
  loop.poller().wake();
  loop.settle();
  const PollerCounters before = loop.counters();
  const std::size_t turns = loop.turns_during(100ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  const PollerCounters& after = loop.counters();
  EXPECT(after.waits - before.waits <= 3);
  EXPECT_EQUAL(after.completions, before.completions);
  EXPECT_EQUAL(after.receive_calls, before.receive_calls);
  EXPECT_EQUAL(after.send_calls, before.send_calls);
}

// A wake among traffic neither loses bytes nor hides behind them.
CONTRACT_CASE(wakes_among_traffic) {
  Loop loop;
  auto [client, server] = loop.pair();
  const Pattern pattern(run.seed());
  server.keep_bytes = false;
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive) return;
    EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
  };
  loop.receive(server);
  AnyPoller& poller = loop.poller();
  std::atomic<bool> stopped = false;
  std::thread waker([&] {
    while (!stopped) poller.wake();
  });
  std::string problem;
  try {
    const std::size_t total = 20'000'000;
    loop.write(client, pattern.text(0, total));
    loop.until([&server = server] { return server.received_count == total; }, "the stream",
               100'000'000);
  } catch (const Failure& failure) {
    problem = failure.message;
  }
  stopped = true;
  waker.join();
  EXPECT_NOTE(problem.empty(), problem);
}

}  // namespace tern::test
