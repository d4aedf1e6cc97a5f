// Rule 4: after the `close` completion nothing of the channel appears, whatever was pending.
//
// Loop checks the rule at every completion of every case: a closed channel's completion fails, and
// a forgotten end is freed memory, which the address sanitizer watches.
#include <set>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// A channel with all of it: unread input, a standing receive, an unfinished send.
RULE_CASE(close_is_last, close_is_last) {
  Loop loop;
  SocketOptions options;
  options.send_buffer_bytes = 4096;
  auto [client, server] = loop.pair(options);
  loop.receive(server);
  loop.write(server, std::string(16'000'000, 'x'));
  EXPECT(server.sending);
  loop.write(client, std::string(2000, 'y'));
  loop.close(server);
  loop.until([&server = server] { return server.closed; }, "the close completion");
  loop.settle();
  loop.forget(server);
  loop.receive(client);
  loop.until([&client = client] { return client.finished(); }, "the peer's news");
  loop.settle();
}

// A closes B, and the others, in the middle of a batch in which all have news; then sockets are
// opened that get the same numbers from the kernel. None of them may hear of the old news.
RULE_CASE(close_is_last, close_other_in_batch) {
  Loop loop;
  constexpr std::size_t count = 32;
  for (int round = 0; round < 10; ++round) {
    std::vector<End*> servers;
    std::vector<End*> clients;
    std::vector<End*> fresh;
    bool closed = false;
    const auto close_the_others = [&](End& first) {
      if (closed) return;
      closed = true;
      for (End* server : servers) {
        if (server != &first) loop.close(*server);
      }
      for (std::size_t index = 0; index < count; ++index) {
        fresh.push_back(&loop.attach(Loop::streaming()));
      }
    };
    for (std::size_t index = 0; index < count; ++index) {
      auto [client, server] = loop.pair();
      server.then = [&](End& end, const Completion& completion) {
        if (completion.operation == Operation::receive) close_the_others(end);
      };
      loop.receive(server);
      servers.push_back(&server);
      clients.push_back(&client);
    }
    // Both directions have news: bytes to read, and room to write that was waited for.
    for (End* client : clients) loop.write(*client, "news");
    loop.until([&] { return closed; }, "the first receive");
    loop.until(
        [&] {
          return std::count_if(servers.begin(), servers.end(), [](End* end) {
                   return end->closed;
                 }) == static_cast<std::ptrdiff_t>(count - 1);
        },
        "the close completions");
    loop.settle(2);
    for (End* end : fresh) EXPECT_EQUAL(end->completions, 0U);
    for (End* end : fresh) loop.close(*end);
    for (End* end : clients) loop.close(*end);
    for (End* end : servers) {
      if (!end->closing) loop.close(*end);
    }
    loop.settle(2);
    for (auto* ends : {&fresh, &clients, &servers}) {
      for (End* end : *ends) loop.forget(*end);
    }
  }
}

// close() inside the completion of each operation, while more of the same is queued.
RULE_CASE(close_is_last, close_inside_each_completion) {
  for (const Operation operation :
       {Operation::accept, Operation::connect, Operation::receive, Operation::send}) {
    Loop loop;
    End& listener = loop.listen();
    std::vector<End*> clients;
    for (int index = 0; index < 8; ++index) clients.push_back(&loop.dial(loop.local(listener)));
    const auto close_on = [&](End& end, const Completion& completion) {
      if (completion.operation == operation && !end.closing) loop.close(end);
    };
    listener.then = close_on;
    for (End* client : clients) client->then = close_on;
    loop.settle();
    for (End* client : clients) {
      if (client->closing || !client->connected) continue;
      loop.receive(*client);
      loop.write(*client, std::string(1 << 20, 'x'));
    }
    std::vector<End*> servers;
    while (!listener.accepted.empty()) {
      End& server = loop.attach_accepted(listener);
      server.then = close_on;
      loop.receive(server);
      loop.write(server, std::string(1 << 20, 'x'));
      servers.push_back(&server);
    }
    loop.settle();
    for (auto* ends : {&clients, &servers}) {
      for (End* end : *ends) {
        if (!end->closing) loop.close(*end);
      }
    }
    if (!listener.closing) loop.close(listener);
    loop.settle();
    for (auto* ends : {&clients, &servers}) {
      for (End* end : *ends) EXPECT(end->closed);
    }
    EXPECT(listener.closed);
  }
}

// A listener closed with connections waiting: their clients see a reset or the end, and are not
// left hanging on sockets that nobody owns.
RULE_CASE(close_is_last, close_listener_with_connections_waiting) {
  Loop loop;
  End& listener = loop.attach(Loop::listening(loopback()));
  std::vector<End*> clients;
  for (int index = 0; index < 20; ++index) {
    End& client = loop.dial(loop.local(listener));
    loop.until([&] { return client.connected; }, "the connection");
    loop.receive(client);
    clients.push_back(&client);
  }
  std::size_t accepted = 0;
  listener.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::accept) return;
    if (++accepted == 3) loop.close(end);
  };
  loop.accept(listener);
  loop.until([&] { return listener.closed; }, "the listener's close");
  loop.settle();
  EXPECT_EQUAL(listener.accepted.size(), 3U);
  const auto lost = [](const End* client) { return client->finished(); };
  loop.until([&] { return std::count_if(clients.begin(), clients.end(), lost) == 17; },
             "the clients that were not accepted");
}

CONTRACT_CASE(close_while_connecting) {
  Loop loop;
  End& listener = loop.listen();
  for (int round = 0; round < 200; ++round) {
    End& client = loop.dial(loop.local(listener));
    for (std::size_t turns = run.random().below(3); turns > 0; --turns) {
      loop.turn(Duration::zero());
    }
    loop.close_and_forget(client);
  }
}

// Every attach gets a name that was never used before, though slots and numbers are used again.
RULE_CASE(close_is_last, channels_are_never_alike) {
  Loop loop;
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
  std::deque<End*> open;
  for (int round = 0; round < 4000; ++round) {
    End& end = loop.attach(Loop::streaming());
    EXPECT(seen.emplace(end.channel.index, end.channel.generation).second);
    EXPECT_NOTE(end.channel.index < 1000, "slots are not used again");
    open.push_back(&end);
    if (open.size() < 8) continue;
    std::swap(open.front(), open[run.random().below(open.size())]);
    loop.close_and_forget(*open.front());
    open.pop_front();
  }
}

// The poller's end is the end of everything it holds: nothing leaks and nobody is called.
CONTRACT_CASE(poller_dies_with_everything_open) {
  for (int round = 0; round < 10; ++round) {
    Loop loop;
    End& listener = loop.listen();
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.write(server, std::string(16'000'000, 'x'));
    loop.write(client, "unread");
    loop.dial(loop.local(listener));
    End& closing = loop.pair().client;
    loop.close(closing);
    if (round % 2 == 0) loop.poller().wait(Duration::zero());
  }
}

}  // namespace tern::test
