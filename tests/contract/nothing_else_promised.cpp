// Rule 9: no exact wake time, but never an early one; and what wait() does promise.
#include <limits>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

// Waits until `limit` has passed by the poller's clock, as a timer does; returns the waits used.
std::size_t waits_for(AnyPoller& poller, Duration limit) {
  const Time end = poller.now() + limit;
  Completion completion;
  std::size_t waits = 0;
  while (poller.now() < end) {
    EXPECT_NOTE(++waits < 1'000'000, "the poller spins until the limit");
    poller.wait(end - poller.now());
    while (poller.next(completion)) {
    }
  }
  return waits;
}

}  // namespace

// A limit is reached within a few waits: none is rounded down to a spin.
RULE_CASE(nothing_else_promised, nothing_else_promised) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  poller.wait(Duration::zero());
  for (const Duration limit : {Duration{1}, Duration{999}, Duration{100us}, Duration{1500us},
                               Duration{999'999}, Duration{1'000'001}, Duration{20ms}}) {
    const std::size_t waits = waits_for(poller, limit);
    EXPECT_NOTE(waits <= 3, std::to_string(limit.count()) + " ns: " + std::to_string(waits));
  }
}

// Nothing is reported before its time: by a clock that the poller does not know.
CONTRACT_CASE(waits_keep_the_wall_clock) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  poller.wait(Duration::zero());
  for (int round = 0; round < 40; ++round) {
    const Duration limit = Duration{1 + run.random().below(1'500'000)};
    const auto before = std::chrono::steady_clock::now();
    // now() was read before `before`, so this much at least has passed when the limit is reported.
    const Duration owed = limit - (before - poller.now());
    waits_for(poller, limit);
    const auto after = std::chrono::steady_clock::now();
    EXPECT_NOTE(after - before >= owed, "a limit was reported early");
    EXPECT_NOTE(poller.now() <= after, "now() is ahead of the clock");
  }
}

// A limit counts from the last wait's now(), which does not move between waits.
CONTRACT_CASE(now_is_read_once_a_wait) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  poller.wait(Duration::zero());
  const Time before = poller.now();
  End& end = loop.attach(Loop::streaming());
  EXPECT(poller.now() == before);
  loop.close_and_forget(end);
  EXPECT(poller.now() >= before);
}

// Looking takes no time, and a wait is over at once where there is something to hand out.
RULE_CASE(nothing_else_promised, zero_only_looks) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  for (int round = 0; round < 1000; ++round) EXPECT_EQUAL(loop.turn(Duration::zero()), 0U);
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "x");
  const Time before = poller.now();
  loop.until([&server = server] { return server.received_count == 1; }, "the byte");
  EXPECT(poller.now() >= before);
}

// Limits beyond what the kernel's own types can hold: neither a spin, nor an error, nor a wait that
// misses the news.
RULE_CASE(nothing_else_promised, limits_of_any_length) {
  Loop loop;
  AnyPoller& poller = loop.poller();
  for (const Duration limit :
       {Duration{std::chrono::hours(24 * 50)}, Duration{std::chrono::hours(24 * 365 * 200)},
        Duration{std::numeric_limits<std::int32_t>::max()} * 1'000'000, forever - 1ns, forever}) {
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.write(client, "x");
    for (int waits = 0; server.received_count == 0; ++waits) {
      EXPECT_NOTE(waits < 10, "the byte does not come");
      loop.turn(limit);
    }
    poller.wake();
    loop.turn(limit);
    loop.close_and_forget(client);
    loop.close_and_forget(server);
  }
}

// Many channels, random traffic: each gets its own bytes, whatever the chunks and the order.
RULE_CASE(nothing_else_promised, chunks_and_order_are_free) {
  Loop loop;
  constexpr std::size_t count = 24;
  struct Stream {
    End& from;
    End& to;
    std::uint64_t sent = 0;
  };
  std::vector<Stream> streams;
  for (std::size_t index = 0; index < count; ++index) {
    auto [client, server] = loop.pair();
    loop.receive(server);
    server.keep_bytes = false;
    server.then = [index](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive) return;
      EXPECT(
          Pattern(index).matches(end.received_count - completion.bytes.size(), completion.bytes));
    };
    streams.push_back({client, server});
  }
  for (int turn = 0; turn < 500; ++turn) {
    for (int writes = 0; writes < 5; ++writes) {
      const std::size_t index = run.random().below(count);
      const std::size_t bytes = 1 + run.random().below(5000);
      loop.write(streams[index].from, Pattern(index).text(streams[index].sent, bytes));
      streams[index].sent += bytes;
    }
    loop.turn(Duration::zero());
  }
  for (const Stream& stream : streams) {
    loop.until([&] { return stream.to.received_count == stream.sent; }, "all of a stream");
  }
}

}  // namespace tern::test
