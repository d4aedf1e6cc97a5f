// Rule 8: accepting survives exhaustion and vanishing clients, and does not spin.
#include "tests/contract/support/contract_case.hpp"
#include "tests/contract/support/resources.hpp"

namespace tern::test {

// No descriptor is left: an error that says so, at most one a turn; quiet once stopped; and when
// there is room again, everybody who waited is let in.
RULE_CASE(accept_survives, accept_survives) {
  Loop loop;
  End& listener = loop.attach(Loop::listening(loopback()));
  constexpr std::size_t count = 20;
  for (std::size_t index = 0; index < count; ++index) {
    End& client = loop.dial(loop.local(listener));
    loop.until([&] { return client.connected; }, "the connection");
  }
  {
    const NoMoreSockets exhaustion;
    loop.accept(listener);
    loop.until([&] { return !listener.accept_errors.empty(); }, "the error");
    EXPECT_NOTE(listener.accept_errors.front() == std::errc::too_many_files_open,
                listener.accept_errors.front().message());
    EXPECT(listener.accepted.empty());
    // The standing order stays: whoever does not back off hears of it at most once a turn.
    for (int turn = 0; turn < 50; ++turn) {
      const std::size_t before = listener.accept_errors.size();
      loop.turn(1ms);
      EXPECT_NOTE(listener.accept_errors.size() <= before + 1, "many errors in one turn");
    }
    loop.stop(listener, Operation::accept);
    const std::size_t turns = loop.turns_during(30ms);
    EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  }
  loop.accept(listener);
  loop.until([&] { return listener.accepted.size() == count; }, "those who waited");
  EXPECT_EQUAL(listener.completions, count + listener.accept_errors.size());
}

// The same without backing off: the order stands through it, nothing needs to be said again.
RULE_CASE(accept_survives, accept_survives_without_a_word) {
  Loop loop;
  End& listener = loop.listen();
  loop.settle();
  // The sockets of the clients are made before there is no more room. A backend may have made room
  // for some of them in advance.
  std::vector<End*> clients;
  for (int index = 0; index < 40; ++index) clients.push_back(&loop.attach(Loop::streaming()));
  {
    const NoMoreSockets exhaustion;
    for (End* client : clients) loop.connect(*client, loop.local(listener));
    loop.until([&] { return !listener.accept_errors.empty(); }, "the error");
    for (int turn = 0; turn < 10; ++turn) loop.turn(1ms);
    const bool makes_sockets_in_advance = World::backend().name == "iocp";
    EXPECT(listener.accepted.size() < (makes_sockets_in_advance ? clients.size() : 1));
  }
  End& one_more = loop.dial(loop.local(listener));
  loop.until([&] { return listener.accepted.size() == clients.size() + 1; }, "those who waited");
  loop.until([&] { return one_more.connected; }, "the last connection");
}

// Clients that reset before they are accepted, in a storm: each is a connection that turns out
// reset, or an error; the listener lives and nothing is lost.
RULE_CASE(accept_survives, storm_of_resets) {
  Loop loop;
  End& listener = loop.attach(Loop::listening(loopback()));
  const std::size_t rounds = Case::scaled(100);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (int index = 0; index < 20; ++index) {
      End& client = loop.dial(loop.local(listener));
      loop.until([&] { return client.connected; }, "the connection");
      loop.reset(client);
      loop.until([&] { return client.closed; }, "the close");
      loop.forget(client);
    }
    End& good = loop.dial(loop.local(listener));
    loop.until([&] { return good.connected; }, "the connection");
    loop.write(good, "hello");
    loop.accept(listener);
    // The good client came last, so whoever is left of the others has been accepted before it.
    const Endpoint good_address = loop.local(good);
    bool found = false;
    loop.until(
        [&] {
          while (!listener.accepted.empty()) {
            End& server = loop.attach_accepted(listener);
            found = found || loop.peer(server) == good_address;
            loop.receive(server);
            const bool is_good = loop.peer(server) == good_address;
            loop.until([&] { return server.finished() || (is_good && server.received == "hello"); },
                       "the client's reset");
            loop.close_and_forget(server);
          }
          return found;
        },
        "the good client");
    loop.stop(listener, Operation::accept);
    loop.close_and_forget(good);
  }
}

// A client that says nothing is accepted all the same, and its addresses are those of its peer.
RULE_CASE(accept_survives, silent_clients_are_accepted) {
  Loop loop;
  End& listener = loop.listen();
  const Endpoint address = loop.local(listener);
  EXPECT(address.port() != 0);
  for (int index = 0; index < 50; ++index) {
    End& client = loop.dial(address);
    loop.until([&] { return client.connected && !listener.accepted.empty(); }, "a silent client");
    End& server = loop.attach_accepted(listener);
    EXPECT_EQUAL(loop.peer(server), loop.local(client));
    EXPECT_EQUAL(loop.local(server), address);
    EXPECT_EQUAL(loop.peer(client), address);
    loop.shutdown_send(server);
    loop.receive(client);
    loop.until([&] { return client.ended; }, "the end, right after the accept");
  }
}

// stop(accept) lets connections wait; none is lost.
CONTRACT_CASE(stopped_accepting_loses_nobody) {
  Loop loop;
  End& listener = loop.listen();
  std::size_t accepted = 0;
  constexpr std::size_t count = 300;
  std::vector<End*> clients;
  listener.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::accept) return;
    ++accepted;
    sockets().close(completion.accepted);
    end.accepted.clear();
    if (run.random().one_in(3)) loop.stop(end, Operation::accept);
  };
  for (std::size_t index = 0; index < count; ++index) {
    clients.push_back(&loop.dial(loop.local(listener)));
    if (run.random().one_in(4)) loop.turn(Duration::zero());
    if (!listener.accepting && run.random().one_in(4)) loop.accept(listener);
  }
  loop.until(
      [&] {
        if (!listener.accepting) loop.accept(listener);
        return accepted == count;
      },
      "every client");
  for (const End* client : clients) EXPECT(!client->connect_error);
}

// Who is connected is waiting until it was delivered, whether the kernel's queue holds it or an
// accept that has ended already. A listener that is drained by this turns nobody away.
CONTRACT_CASE(who_waits_is_known) {
  Loop loop;
  Loop others;
  End& listener = loop.listen();
  loop.turn(Duration::zero());
  EXPECT(!loop.poller().has_waiting(listener.channel));
  constexpr std::size_t count = 50;
  for (std::size_t round = 0; round < 20; ++round) {
    std::vector<End*> clients;
    for (std::size_t index = 0; index < count; ++index) {
      clients.push_back(&others.dial(loop.local(listener)));
    }
    for (const End* client : clients) {
      others.until([&] { return client->connected; }, "the connection");
    }
    for (std::size_t turns = 0; loop.poller().has_waiting(listener.channel); ++turns) {
      EXPECT(turns < 1000);
      loop.turn(Duration::zero());
    }
    EXPECT_EQUAL(listener.accepted.size(), count);
    while (!listener.accepted.empty()) loop.close_and_forget(loop.attach_accepted(listener));
    for (End* client : clients) others.close_and_forget(*client);
  }
}

// Many connects at once into a listener that accepts.
CONTRACT_CASE(accept_storm) {
  Loop loop;
  End& listener = loop.listen();
  const std::size_t count = 2000;
  std::size_t accepted = 0;
  listener.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::accept || completion.error) return;
    ++accepted;
    sockets().close(completion.accepted);
    end.accepted.clear();
  };
  std::vector<End*> clients;
  for (std::size_t index = 0; index < count; ++index) {
    clients.push_back(&loop.dial(loop.local(listener)));
  }
  const auto settled = [](const End* end) { return !end->connecting; };
  loop.until([&] { return accepted == count; }, "every accept");
  loop.until([&] { return std::all_of(clients.begin(), clients.end(), settled); }, "connects");
  for (const End* client : clients) EXPECT(client->connected);
}

}  // namespace tern::test
