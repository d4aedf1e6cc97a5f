// The simulated network's time, its choices, and how its pollers take turns.
#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

using simulated::Poller;

// A busy exchange under faults; what it did is in the network's transcript.
std::uint64_t transcript_of(std::uint64_t seed, Style style = Style::any) {
  Faults faults = Faults::rough();
  faults.reset = faults.connect_error = faults.attach_error = faults.accept_error = 0;
  Network network(seed, faults, style);
  Loop loop;
  for (int index = 0; index < 5; ++index) {
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.write(client, Pattern(seed).text(0, 20'000));
    loop.until([&server = server] { return server.received_count == 20'000; }, "the bytes");
  }
  End& from = loop.datagram();
  End& to = loop.datagram();
  loop.receive(to);
  for (int index = 0; index < 20; ++index) {
    const std::array<Datagram, 1> datagram = {Datagram{bytes_of("d"), loop.local(to), false}};
    if (!from.sending) loop.offer_to(from, datagram);
    loop.turn();
  }
  return network.transcript();
}

// Owns nothing and expects nothing.
struct Silent final : Owner {
  void completed(const Completion&) override {}
};

}  // namespace

SIMULATION_CASE(a_seed_is_a_transcript) {
  const std::uint64_t seed = run.seed();
  CHECK(transcript_of(seed) == transcript_of(seed));
  CHECK(transcript_of(seed) != transcript_of(seed + 1));
  // What `any` chooses is what naming it gives.
  const Network network(seed);
  const Style chosen = network.completes() ? Style::completion : Style::readiness;
  CHECK(transcript_of(seed) == transcript_of(seed, chosen));
}

// The first numbers of seed 1, so that a change of the generator is noticed: old seeds would no
// longer replay.
SIMULATION_CASE(the_generator_is_the_same_everywhere) {
  simulated::Random random(1);
  CHECK(random.next() == 12966619160104079557U);
  CHECK(random.next() == 9600361134598540522U);
  CHECK(random.below(10) == 10590380919521690900U % 10);
}

SIMULATION_CASE(both_styles_are_chosen_by_seeds) {
  int completing = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Network network(seed);
    completing += Poller(PollerOptions{}).sends_later() ? 1 : 0;
    CHECK(Poller(PollerOptions{}).sends_later() == network.completes());
  }
  CHECK(completing > 20);
  CHECK(completing < 80);
}

// Hours pass in no time, and not a nanosecond more than asked for.
SIMULATION_CASE(waiting_is_exact) {
  const Network network(run.seed());
  Poller poller{PollerOptions{}};
  Time expected = poller.now();
  for (const Duration limit : {Duration(1ms), Duration(12'345'678), Duration(5h), Duration(17us)}) {
    poller.wait(limit);
    expected += limit;
    CHECK(poller.now() == expected);
    CHECK(network.now() == expected);
  }
  CHECK(poller.counters().waits == 4);
  CHECK(poller.counters().empty_waits == 4);
}

SIMULATION_CASE(looking_lets_time_pass) {
  const Network network(run.seed());
  Poller poller{PollerOptions{}};
  const Time before = poller.now();
  for (int look = 0; look < 1000; ++look) poller.wait(Duration::zero());
  CHECK(poller.now() > before);
  CHECK(poller.now() < before + 1s);
}

// Nothing is scheduled and nobody may wake: not a hang.
SIMULATION_CASE(waiting_for_nothing_returns) {
  const Network network(run.seed());
  Poller poller{PollerOptions{}};
  const Time before = poller.now();
  poller.wait(forever);
  CHECK(poller.now() < before + 1ms);
  poller.wake();
  poller.wait(forever);
  CHECK(poller.counters().wakes == 1);
}

// A wait does not pass the moment at which something happens.
SIMULATION_CASE(an_event_ends_the_wait_on_time) {
  Faults faults;
  faults.latency_min = faults.latency_max = 30ms;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.settle();
  const Time sent = loop.poller().now();
  loop.offer(client, "x");
  while (server.received_count == 0) loop.turn(10s);
  CHECK(loop.poller().now() == sent + 30ms);
}

// Two pollers stepped in turn, both without a limit, as two reactors in one thread would be.
SIMULATION_CASE(two_pollers_take_turns) {
  Faults faults;
  faults.latency_max = 1ms;
  const Network network(run.seed(), faults);
  Loop left;
  Loop right;
  End& listener = right.listen();
  End& client = left.dial(right.local(listener));
  const auto step = [&](auto&& done) {
    for (int steps = 0; !done(); ++steps) {
      EXPECT_NOTE(steps < 10'000, "no progress");
      left.turn(forever);
      right.turn(forever);
    }
  };
  step([&] { return client.connected && !listener.accepted.empty(); });
  End& server = right.attach_accepted(listener);
  server.then = [&](End& end, const Completion& completion) {
    if (completion.operation == Operation::receive) {
      right.write(end, std::string(text_of(completion.bytes)));
    }
  };
  right.receive(server);
  left.receive(client);
  for (std::size_t round = 1; round <= 100; ++round) {
    left.write(client, "ping");
    step([&] { return client.received_count == 4 * round; });
  }
}

// The timers of one poller are not jumped over by the long wait of another.
SIMULATION_CASE(a_long_wait_does_not_jump_over_the_others_limit) {
  const Network network(run.seed());
  Poller left{PollerOptions{}};
  Poller right{PollerOptions{}};
  Time due = right.now() + 10ms;
  int fired = 0;
  for (int steps = 0; fired < 50; ++steps) {
    EXPECT_NOTE(steps < 1000, "the timer does not fire");
    right.wait(due - right.now());
    left.wait(1h);
    if (right.now() < due) continue;
    CHECK(right.now() < due + 1ms);
    due = right.now() + 10ms;
    ++fired;
  }
}

// A poller that nobody steps any more does not stop the world for the others.
SIMULATION_CASE(an_abandoned_poller_does_not_stop_the_clock) {
  const Network network(run.seed());
  Loop busy;
  Loop abandoned;
  End& listener = abandoned.listen();
  abandoned.poller().wait(1ms);
  busy.dial(abandoned.local(listener));
  abandoned.poller().wake();
  const Time end = busy.poller().now() + 1s;
  int waits = 0;
  while (busy.poller().now() < end) {
    EXPECT_NOTE(++waits < 20, "the clock stands still");
    busy.turn(end - busy.poller().now());
  }
}

// Early returns happen, bring nothing and lose nothing.
SIMULATION_CASE(early_returns) {
  Faults faults;
  faults.early_return = 0.5;
  const Network network(run.seed(), faults);
  Poller poller{PollerOptions{}};
  const Time end = poller.now() + 1s;
  int waits = 0;
  for (; poller.now() < end && waits < 1000; ++waits) poller.wait(end - poller.now());
  CHECK(poller.now() == end);
  int early = 0;
  for (int round = 0; round < 200; ++round) {
    const Time before = poller.now();
    poller.wait(1ms);
    early += poller.now() < before + 1ms ? 1 : 0;
  }
  CHECK(early > 20);
  CHECK(early < 180);
}

SIMULATION_CASE(networks_nest) {
  Network outer(run.seed());
  CHECK(&Network::current() == &outer);
  {
    Network inner(run.seed() + 1);
    CHECK(&Network::current() == &inner);
  }
  CHECK(&Network::current() == &outer);
}

// Without one there is a network of the thread, and another thread's wake ends a wait on it.
SIMULATION_CASE(the_default_network_is_there) {
  Network& network = Network::current();
  CHECK(network.allows_blocking_waits());
  Poller poller{PollerOptions{}};
  CHECK(!poller.sends_later());
  Silent owner;
  std::error_code error;
  const Socket socket = Poller::Sockets::stream(Family::ipv4, {}, {}, error);
  const Channel channel = poller.attach(socket, &owner, error);
  CHECK(poller.socket(channel) == socket);
  CHECK(network.open_sockets() == 1);
  poller.close(channel);
  CHECK(network.pending_operations() == 1);
  poller.wait(forever);
  Completion completion;
  CHECK(poller.next(completion));
  CHECK(network.open_sockets() == 0);
  CHECK(network.pending_operations() == 0);
}

}  // namespace tern::test
