// Rule 6: endless input gets one receive per turn, and a turn ends.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

// Keeps a channel's input full without ever waiting: offers as long as the kernel takes.
void flood(Loop& loop, End& end, const std::string& block) {
  for (int offers = 0; offers < 64 && !end.sending; ++offers) loop.offer(end, block);
}

}  // namespace

RULE_CASE(turns_are_fair, turns_are_fair) {
  PollerOptions options;
  options.receive_bytes = 4096;
  Loop loop(options);
  auto [flooder, victim] = loop.pair();
  auto [client, echo] = loop.pair();
  const std::string block(64 * 1024, 'f');
  victim.keep_bytes = false;
  loop.receive(victim);
  loop.receive(client);
  echo.then = [&](End& end, const Completion& completion) {
    if (completion.operation == Operation::receive) {
      loop.write(end, std::string(text_of(completion.bytes)));
    }
  };
  loop.receive(echo);
  std::size_t asked_in_turn = 0;
  std::size_t worst = 0;
  std::uint64_t answers = 0;
  loop.write(client, "?");
  for (std::size_t turn = 1; turn <= 3000; ++turn) {
    flood(loop, flooder, block);
    const std::uint64_t before = victim.receives;
    loop.turn();
    EXPECT_NOTE(victim.receives <= before + 1, "more than one receive in a turn");
    if (client.received_count == answers) continue;
    ++answers;
    worst = std::max(worst, turn - asked_in_turn);
    asked_in_turn = turn;
    loop.write(client, "?");
  }
  EXPECT_NOTE(victim.receives >= 100, "receives: " + std::to_string(victim.receives));
  EXPECT_NOTE(answers >= 30, "answers: " + std::to_string(answers));
  EXPECT_NOTE(worst <= 100, "turns for an answer: " + std::to_string(worst));
}

// Those who wait to be accepted come in soon, and not at the expense of other channels' turns.
RULE_CASE(turns_are_fair, a_connect_storm_among_floods) {
  PollerOptions options;
  options.receive_bytes = 4096;
  Loop loop(options);
  const std::string block(64 * 1024, 'f');
  std::vector<Loop::Pair> floods;
  for (int index = 0; index < 4; ++index) {
    floods.push_back(loop.pair());
    floods.back().server.keep_bytes = false;
    loop.receive(floods.back().server);
  }
  End& listener = loop.attach(Loop::listening(loopback()));
  std::vector<End*> clients;
  for (int index = 0; index < 64; ++index) {
    clients.push_back(&loop.dial(loop.local(listener)));
  }
  loop.until(
      [&] {
        return std::all_of(clients.begin(), clients.end(),
                           [](const End* client) { return client->connected; });
      },
      "the connections");
  loop.accept(listener);
  std::size_t turns = 0;
  for (; listener.accepted.size() < clients.size(); ++turns) {
    EXPECT_NOTE(turns < 200, "accepted: " + std::to_string(listener.accepted.size()));
    std::vector<std::uint64_t> before;
    for (auto& [from, to] : floods) {
      flood(loop, from, block);
      before.push_back(to.receives);
    }
    loop.turn();
    for (std::size_t index = 0; index < floods.size(); ++index) {
      EXPECT_NOTE(floods[index].server.receives <= before[index] + 1, "two receives in a turn");
    }
  }
  // Sixteen at a time would be slow already; a handful more for what comes in pieces.
  EXPECT_NOTE(turns <= 24, "turns for 64 clients: " + std::to_string(turns));
}

// New input for the same channel arrives while its completion is in hand: the turn ends anyway.
RULE_CASE(turns_are_fair, a_turn_ends) {
  Loop loop;
  auto [client, server] = loop.pair();
  auto [other_client, other_server] = loop.pair();
  server.keep_bytes = false;
  server.then = [&, &client = client](End&, const Completion& completion) {
    if (completion.operation != Operation::receive || client.sending) return;
    loop.offer(client, "more");
  };
  loop.receive(server);
  loop.receive(other_server);
  loop.write(client, "start");
  loop.until([&server = server] { return server.receives > 0; }, "the start");
  loop.write(other_client, "me too");
  for (int turn = 0; turn < 200; ++turn) {
    const std::uint64_t before = server.receives;
    loop.turn();
    EXPECT(server.receives <= before + 1);
  }
  EXPECT_EQUAL(other_server.received, "me too");
}

// Many floods at once, and a quiet channel between them that is served within a few turns.
CONTRACT_CASE(many_floods_and_one_quiet_channel) {
  PollerOptions options;
  options.receive_bytes = 1024;
  Loop loop(options);
  struct Flood {
    End& from;
    End& to;
    std::uint64_t before = 0;
  };
  std::vector<Flood> floods;
  for (int index = 0; index < 16; ++index) {
    auto [from, to] = loop.pair();
    to.keep_bytes = false;
    loop.receive(to);
    floods.push_back({from, to});
  }
  auto [client, server] = loop.pair();
  loop.receive(server);
  const std::string block(64 * 1024, 'f');
  std::size_t served = 0;
  for (std::size_t turn = 0; turn < 1000; ++turn) {
    if (turn % 100 == 0) {
      EXPECT_NOTE(server.received_count == served, "the quiet channel starves");
      loop.write(client, "q");
      ++served;
    }
    for (Flood& each : floods) {
      flood(loop, each.from, block);
      each.before = each.to.receives;
    }
    loop.turn();
    for (const Flood& each : floods) EXPECT(each.to.receives <= each.before + 1);
  }
  for (const Flood& each : floods) EXPECT(each.to.receives >= 50);
}

// The clock of the loop goes on under a flood: timers above it are not held up for ever.
CONTRACT_CASE(flood_does_not_stop_the_clock) {
  Loop loop;
  auto [flooder, victim] = loop.pair();
  victim.keep_bytes = false;
  loop.receive(victim);
  const std::string block(64 * 1024, 'f');
  const Time end = loop.poller().now() + 20ms;
  std::size_t turns = 0;
  while (loop.poller().now() < end) {
    EXPECT_NOTE(++turns < 1'000'000, "the clock stands still");
    flood(loop, flooder, block);
    loop.turn(1ms);
  }
}

}  // namespace tern::test
