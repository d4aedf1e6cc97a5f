// connect(): one completion, whatever becomes of it.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {

// A thousand at once to an address that refuses: each is told once, and never as a success.
CONTRACT_CASE(connect_refused_1000) {
  Loop loop;
  // Bound and not listening, so that nobody else gets the port meanwhile.
  const Socket refusing = Loop::streaming(Family::ipv4, {}, loopback());
  const Endpoint address = sockets().local(refusing);
  std::vector<End*> clients;
  for (int index = 0; index < 1000; ++index) clients.push_back(&loop.dial(address));
  for (const End* client : clients) {
    loop.until([&] { return !client->connecting; }, "a refusal");
    EXPECT(!client->connected);
    EXPECT_NOTE(client->connect_error == std::errc::connection_refused,
                client->connect_error.message());
  }
  loop.settle();
  for (End* client : clients) EXPECT_EQUAL(client->completions, 1U);
  for (End* client : clients) loop.close_and_forget(*client);
  sockets().close(refusing);
}

// One by one, refused ones are quiet afterwards: no hint of the kernel's is left over.
CONTRACT_CASE(refused_is_quiet) {
  Loop loop;
  const Socket refusing = Loop::streaming(Family::ipv4, {}, loopback());
  End& client = loop.dial(sockets().local(refusing));
  loop.until([&] { return !client.connecting; }, "the refusal");
  const std::size_t turns = loop.turns_during(30ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  sockets().close(refusing);
}

// An attached socket that was not connected yet is quiet, and connects later.
CONTRACT_CASE(attached_long_before_it_connects) {
  Loop loop;
  End& listener = loop.listen();
  End& client = loop.attach(Loop::streaming());
  const std::size_t turns = loop.turns_during(30ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  EXPECT_EQUAL(client.completions, 0U);
  loop.connect(client, loop.local(listener));
  loop.until([&] { return client.connected && !listener.accepted.empty(); }, "the connection");
  End& server = loop.attach_accepted(listener);
  loop.receive(server);
  loop.receive(client);
  loop.write(client, "there");
  loop.write(server, "back");
  loop.until([&] { return server.received == "there" && client.received == "back"; }, "both");
}

// Bytes may be sent and received from the completion on, in it even.
CONTRACT_CASE(open_from_the_completion_on) {
  Loop loop;
  End& listener = loop.listen();
  listener.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::accept) return;
    End& server = loop.attach_accepted(end);
    loop.receive(server);
    server.then = [&](End& echo, const Completion& received) {
      if (received.operation != Operation::receive) return;
      if (received.bytes.empty()) {
        loop.close(echo);
      } else {
        loop.write(echo, std::string(text_of(received.bytes)));
      }
    };
  };
  for (int round = 0; round < 100; ++round) {
    End& client = loop.attach(Loop::streaming());
    client.then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::connect) return;
      loop.receive(end);
      loop.write(end, "hello");
    };
    loop.connect(client, loop.local(listener));
    loop.until([&] { return client.received == "hello"; }, "the echo");
    EXPECT_EQUAL(loop.peer(client), loop.local(listener));
    loop.finish_sending(client);
    loop.until([&] { return client.ended; }, "the end");
    loop.close_and_forget(client);
  }
}

// From a source address of choice.
CONTRACT_CASE(connect_from_a_source_address) {
  Loop loop;
  End& listener = loop.listen();
  const Endpoint source = Endpoint::ipv4({127, 0, 0, 2}, 0);
  End& client = loop.dial(loop.local(listener), {}, source);
  loop.until([&] { return client.connected && !listener.accepted.empty(); }, "the connection");
  EXPECT(loop.local(client).address() == source.address());
  EXPECT_EQUAL(loop.peer(loop.attach_accepted(listener)), loop.local(client));
}

// A connect that does not get through stays pending without a sound, and can be given up.
CONTRACT_CASE(pending_connect_is_quiet_and_can_be_given_up) {
  Loop loop;
  ListenOptions options;
  options.backlog = 1;
  End& listener = loop.attach(Loop::listening(loopback(), options));
  std::vector<End*> clients;
  // Nobody accepts, so the queue is full after a few; a kernel then lets connects wait.
  for (int index = 0; index < 16; ++index) clients.push_back(&loop.dial(loop.local(listener)));
  loop.settle();
  const auto is_pending = [](const End* end) { return end->connecting; };
  if (std::none_of(clients.begin(), clients.end(), is_pending)) {
    run.skip("this system refuses what its backlog cannot hold");
  }
  const std::size_t turns = loop.turns_during(30ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  for (End* client : clients) loop.close_and_forget(*client);
}

// Given up at random moments: before, while and after it succeeds or fails.
CONTRACT_CASE(connect_then_cancel) {
  Loop loop;
  End& listener = loop.listen();
  const Socket refusing = Loop::streaming(Family::ipv4, {}, loopback());
  const Endpoint good = loop.local(listener);
  const Endpoint bad = sockets().local(refusing);
  listener.then = [](End& end, const Completion& completion) {
    if (completion.operation != Operation::accept || completion.error) return;
    sockets().close(completion.accepted);
    end.accepted.clear();
  };
  const std::size_t rounds = Case::scaled(2000);
  for (std::size_t round = 0; round < rounds; ++round) {
    End& client = loop.dial(run.random().one_in(3) ? bad : good);
    End& second = loop.dial(run.random().one_in(3) ? bad : good);
    for (std::size_t turns = run.random().below(3); turns > 0; --turns) {
      loop.turn(Duration::zero());
    }
    loop.close_and_forget(client);
    loop.close_and_forget(second);
  }
  sockets().close(refusing);
}

}  // namespace tern::test
