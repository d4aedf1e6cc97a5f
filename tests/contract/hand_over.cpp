// A poller belongs to one thread at a time, and is handed over between turns: made on one thread,
// run on another, ended on a third, as a server's are.
#include <thread>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

// Runs on a thread of its own, which is over when this returns.
template <class Body>
void elsewhere(Body&& body) {
  std::string problem;
  std::thread([&] {
    try {
      body();
    } catch (const Failure& failure) {
      problem = failure.message;
    }
  }).join();
  EXPECT_NOTE(problem.empty(), problem);
}

}  // namespace

// Everything that can be under way is under way at each hand-over, and nothing of it is lost.
CONTRACT_CASE(handed_over_with_everything_under_way) {
  Loop loop;
  const Pattern pattern(run.seed());
  End& listener = loop.listen();
  auto [client, server] = loop.pair_through(listener);
  End& silent = loop.pair_through(listener).server;
  End& datagrams = loop.datagram();
  loop.receive(silent);
  loop.receive(datagrams);
  std::uint64_t sent = 0;
  for (int round = 1; round <= 20; ++round) {
    elsewhere([&, &client = client, &server = server] {
      loop.receive(server);
      loop.write(client, pattern.text(sent, 2'000'000));
      sent += 2'000'000;
      loop.turn(Duration::zero());
      loop.stop(server);
      loop.dial(loop.local(listener));
      loop.turn(Duration::zero());
    });
    loop.receive(server);
    loop.until([&, &server = server] { return server.received_count == sent; }, "the stream");
    loop.until([&] { return listener.accepted.size() == static_cast<std::size_t>(round); },
               "the connection that was under way");
    const std::array<Datagram, 1> one = {Datagram{bytes_of("x"), loop.local(datagrams), false}};
    loop.send_datagrams(datagrams, one);
    loop.until([&] { return datagrams.datagrams.size() == static_cast<std::size_t>(round); },
               "the datagram");
    EXPECT_EQUAL(loop.turns_during(1ms) > 100, false);
  }
  EXPECT(server.received == pattern.text(0, sent));
  EXPECT_EQUAL(silent.completions, 0U);
}

// Connects that are under way finish once, with their true outcome.
CONTRACT_CASE(handed_over_while_connecting) {
  Loop loop;
  End& listener = loop.listen();
  const Socket refusing = Loop::streaming(Family::ipv4, {}, loopback());
  for (int round = 0; round < 20; ++round) {
    End* good = nullptr;
    End* bad = nullptr;
    elsewhere([&] {
      loop.turn(Duration::zero());
      good = &loop.dial(loop.local(listener));
      bad = &loop.dial(sockets().local(refusing));
      if (round % 2 == 0) loop.poller().wait(Duration::zero());
    });
    loop.finish_turn();
    loop.until([&] { return !good->connecting && !bad->connecting; }, "both");
    EXPECT(good->connected);
    EXPECT_NOTE(bad->connect_error == std::errc::connection_refused, bad->connect_error.message());
    loop.close_and_forget(*good);
    loop.close_and_forget(*bad);
  }
  sockets().close(refusing);
}

// Closed where it does not run any more, as a server's end does it; the address is free at once.
CONTRACT_CASE(closed_after_its_thread_is_over) {
  Endpoint address = loopback();
  for (int life = 0; life < 20; ++life) {
    Loop loop;
    End* listener = nullptr;
    End* server = nullptr;
    End* client = nullptr;
    elsewhere([&] {
      listener = &loop.listen(address);
      address = loop.local(*listener);
      const auto pair = loop.pair_through(*listener);
      server = &pair.server;
      client = &pair.client;
      loop.receive(*server);
      loop.receive(*client);
      loop.write(*server, std::string(16'000'000, 'x'));
      loop.turn(Duration::zero());
    });
    for (End* end : {listener, server, client}) loop.close(*end);
    loop.until([&] { return listener->closed && server->closed && client->closed; }, "the closes");
    if (life % 3 == 0) loop.listen(address);
  }
}

// A wake finds the poller wherever it runs.
CONTRACT_CASE(woken_after_the_hand_over) {
  Loop loop;
  for (int round = 0; round < 20; ++round) {
    elsewhere([&] {
      loop.poller().wake();
      EXPECT_EQUAL(loop.turn(forever), 0U);
      if (round % 2 == 0) loop.poller().wake();
    });
    loop.poller().wake();
    EXPECT_EQUAL(loop.turn(forever), 0U);
  }
}

}  // namespace tern::test
