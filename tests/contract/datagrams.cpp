// Datagram channels: whole, truncated, empty, refused and bounced ones; none ends the socket.
#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

struct Parcel {
  std::string text;
  Endpoint to;
};

std::vector<Datagram> datagrams_of(const std::vector<Parcel>& parcels) {
  std::vector<Datagram> datagrams;
  for (const Parcel& parcel : parcels) {
    datagrams.push_back({bytes_of(parcel.text), parcel.to, false});
  }
  return datagrams;
}

// Offers until all are taken.
void send_all(Loop& loop, End& from, const std::vector<Parcel>& parcels) {
  loop.send_datagrams(from, datagrams_of(parcels));
}

std::vector<std::string> sorted_texts(const End& end) {
  std::vector<std::string> texts;
  for (const ReceivedDatagram& datagram : end.datagrams) texts.push_back(datagram.bytes);
  std::sort(texts.begin(), texts.end());
  return texts;
}

// Sends one datagram to a dead port, which is told once.
void expect_bounce(Loop& loop, End& client) {
  const std::size_t before = client.datagram_errors.size();
  send_all(loop, client, {{"anybody?", {}}});
  loop.until([&] { return client.datagram_errors.size() > before; }, "the bounce");
  loop.settle(2);
  EXPECT_EQUAL(client.datagram_errors.size(), before + 1);
  EXPECT_NOTE(client.datagram_errors.back() == std::errc::connection_refused,
              client.datagram_errors.back().message());
}

}  // namespace

// Each datagram arrives by itself, with the address it came from; answers go back to it.
CONTRACT_CASE(udp_echo) {
  Loop loop;
  End& server = loop.datagram();
  loop.receive(server);
  std::vector<End*> clients;
  for (int index = 0; index < 10; ++index) {
    clients.push_back(&loop.datagram());
    loop.receive(*clients.back());
  }
  for (std::size_t index = 0; index < clients.size(); ++index) {
    const std::string text = "from " + std::to_string(index);
    send_all(loop, *clients[index], {{text, loop.local(server)}});
    loop.until([&] { return server.datagrams.size() == index + 1; }, "the question");
    const ReceivedDatagram& received = server.datagrams.back();
    EXPECT_EQUAL(received.bytes, text);
    EXPECT_EQUAL(received.peer, loop.local(*clients[index]));
    EXPECT(!received.truncated);
    send_all(loop, server, {{received.bytes + "!", received.peer}});
    loop.until([&] { return !clients[index]->datagrams.empty(); }, "the answer");
    EXPECT_EQUAL(clients[index]->datagrams[0].bytes, text + "!");
    EXPECT_EQUAL(clients[index]->datagrams[0].peer, loop.local(server));
  }
}

// More than one batch in one call; to several receivers.
CONTRACT_CASE(udp_batches) {
  Loop loop;
  End& from = loop.datagram();
  End& left = loop.datagram();
  End& right = loop.datagram();
  loop.receive(left);
  loop.receive(right);
  std::vector<Parcel> parcels;
  std::vector<std::string> expected;
  for (std::size_t index = 0; index < 3 * datagrams_max + 5; ++index) {
    const std::string text = Pattern(index).text(0, index * 7 % 900);
    parcels.push_back({text, loop.local(left)});
    parcels.push_back({text, loop.local(right)});
    expected.push_back(text);
  }
  std::sort(expected.begin(), expected.end());
  send_all(loop, from, parcels);
  for (const End* to : {&left, &right}) {
    loop.until([&] { return to->datagrams.size() >= expected.size(); }, "every datagram");
    EXPECT(sorted_texts(*to) == expected);
    for (const ReceivedDatagram& datagram : to->datagrams) {
      EXPECT_EQUAL(datagram.peer, loop.local(from));
    }
  }
  EXPECT_EQUAL(loop.offer_to(from, {}), 0U);
}

// A datagram without bytes is a datagram: between others, alone, connected or not.
CONTRACT_CASE(udp_zero_length) {
  Loop loop;
  End& server = loop.datagram();
  loop.receive(server);
  End& connected = loop.datagram(loopback(), loop.local(server));
  End& free = loop.datagram();
  send_all(loop, connected, {{"", {}}});
  loop.until([&] { return server.datagrams.size() == 1; }, "nothing, as a datagram");
  EXPECT_EQUAL(server.datagrams[0].bytes, "");
  EXPECT_EQUAL(server.datagrams[0].peer, loop.local(connected));
  send_all(loop, free,
           {{"a", loop.local(server)},
            {"", loop.local(server)},
            {"b", loop.local(server)},
            {"", loop.local(server)}});
  loop.until([&] { return server.datagrams.size() == 5; }, "four more");
  EXPECT(sorted_texts(server) == (std::vector<std::string>{"", "", "", "a", "b"}));
  loop.settle();
  EXPECT(server.receiving && server.datagram_errors.empty());
}

// Longer than the room for one: the tail is lost and it says so; exactly as long is whole.
CONTRACT_CASE(udp_truncated) {
  PollerOptions options;
  options.datagram_bytes = 100;
  Loop loop(options);
  End& server = loop.datagram();
  loop.receive(server);
  End& client = loop.datagram();
  const Pattern pattern(run.seed());
  for (const std::size_t size :
       {std::size_t{99}, std::size_t{100}, std::size_t{101}, std::size_t{5000}, std::size_t{10}}) {
    server.datagrams.clear();
    send_all(loop, client, {{pattern.text(0, size), loop.local(server)}});
    loop.until([&] { return server.datagrams.size() == 1; }, "the datagram");
    EXPECT(server.datagrams[0].bytes == pattern.text(0, std::min<std::size_t>(size, 100)));
    EXPECT_EQUAL(server.datagrams[0].truncated, size > 100);
  }
}

// The longest that IPv4 carries arrives; one byte more is refused, told, and costs nothing else.
CONTRACT_CASE(udp_too_long) {
  Loop loop;
  End& server = loop.datagram();
  loop.receive(server);
  End& client = loop.datagram();
  const std::string longest = Pattern(run.seed()).text(0, 65'507);
  const Endpoint to = loop.local(server);
  send_all(loop, client, {{longest, to}});
  loop.until([&] { return server.datagrams.size() == 1; }, "the longest");
  EXPECT(server.datagrams[0].bytes == longest);
  EXPECT(!server.datagrams[0].truncated);

  send_all(loop, client, {{"before", to}, {longest + "x", to}, {"after", to}});
  loop.until([&] { return server.datagrams.size() == 3; }, "its neighbours");
  loop.until([&] { return !client.datagram_errors.empty(); }, "the refusal");
  EXPECT_EQUAL(client.datagram_errors.size(), 1U);
  EXPECT(client.datagram_errors[0] == std::errc::message_size);
  send_all(loop, client, {{"still here", to}});
  loop.until([&] { return server.datagrams.size() == 4; }, "the next one");
}

// A connected socket hears that nobody is there.
CONTRACT_CASE(udp_bounce_is_told) {
  Loop loop;
  End& dead = loop.datagram();
  End& client = loop.datagram(loopback(), loop.local(dead));
  loop.receive(client);
  loop.close_and_forget(dead);
  expect_bounce(loop, client);
  const std::size_t turns = loop.turns_during(20ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
}

// It hears so each time, lives on, and reaches whoever comes later.
CONTRACT_CASE(udp_bounce_connected) {
  Loop loop;
  End& first = loop.datagram();
  const Endpoint address = loop.local(first);
  End& client = loop.datagram(loopback(), address);
  loop.receive(client);
  loop.close_and_forget(first);
  for (int round = 0; round < 3; ++round) expect_bounce(loop, client);

  End& second = loop.datagram(address);
  loop.receive(second);
  send_all(loop, client, {{"now?", {}}});
  loop.until([&] { return !second.datagrams.empty(); }, "the datagram");
  send_all(loop, second, {{"yes", loop.local(client)}});
  loop.until([&] { return !client.datagrams.empty(); }, "the answer");
  EXPECT_EQUAL(client.datagrams[0].bytes, "yes");
}

// An unconnected one goes on with its other peers after a send that bounced.
CONTRACT_CASE(udp_bounce_unconnected) {
  Loop loop;
  End& dead = loop.datagram();
  const Endpoint dead_address = loop.local(dead);
  loop.close_and_forget(dead);
  End& live = loop.datagram();
  End& client = loop.datagram();
  loop.receive(live);
  loop.receive(client);
  for (std::size_t round = 1; round <= 5; ++round) {
    send_all(loop, client, {{"lost", dead_address}, {"found", loop.local(live)}});
    loop.until([&] { return live.datagrams.size() == round; }, "the live peer's datagram");
    send_all(loop, live, {{"answer", loop.local(client)}});
    loop.until([&] { return client.datagrams.size() == round; }, "the answer");
  }
  EXPECT(client.receiving);
}

// A connected socket hears its peer only.
CONTRACT_CASE(udp_connected_hears_its_peer_only) {
  Loop loop;
  End& friendly = loop.datagram();
  End& stranger = loop.datagram();
  End& client = loop.datagram(loopback(), loop.local(friendly));
  EXPECT_EQUAL(loop.peer(client), loop.local(friendly));
  loop.receive(client);
  send_all(loop, stranger, {{"psst", loop.local(client)}});
  send_all(loop, friendly, {{"hello", loop.local(client)}});
  loop.until([&] { return !client.datagrams.empty(); }, "the friend");
  loop.settle();
  EXPECT_EQUAL(client.datagrams.size(), 1U);
  EXPECT_EQUAL(client.datagrams[0].bytes, "hello");
}

// stop() holds them back in the kernel; what fits there is not lost.
CONTRACT_CASE(udp_stop) {
  Loop loop;
  End& server = loop.datagram();
  End& client = loop.datagram();
  loop.receive(server);
  loop.stop(server);
  for (int index = 0; index < 10; ++index) {
    send_all(loop, client, {{std::to_string(index), loop.local(server)}});
  }
  loop.settle();
  EXPECT(server.datagrams.empty());
  loop.receive(server);
  loop.until([&] { return server.datagrams.size() == 10; }, "those held back");
}

// A flood of datagrams gets one receive a turn, and a turn ends.
CONTRACT_CASE(udp_flood_is_fair) {
  Loop loop;
  End& victim = loop.datagram();
  End& flooder = loop.datagram(loopback(), loop.local(victim));
  auto [client, server] = loop.pair();
  loop.receive(victim);
  loop.receive(server);
  const std::vector<Parcel> parcels(2 * datagrams_max, {std::string(100, 'f'), {}});
  const std::vector<Datagram> datagrams = datagrams_of(parcels);
  std::size_t receives_in_turn = 0;
  std::size_t receives = 0;
  victim.then = [&](End& end, const Completion& completion) {
    if (completion.operation != Operation::receive) return;
    ++receives_in_turn;
    ++receives;
    end.datagrams.clear();
  };
  for (int turn = 0; turn < 300; ++turn) {
    if (turn % 10 == 0) loop.write(client, "q");
    if (!flooder.sending) loop.offer_to(flooder, datagrams);
    receives_in_turn = 0;
    loop.turn();
    EXPECT_NOTE(receives_in_turn <= 1, "more than one receive in a turn");
  }
  EXPECT(receives > 100);
  loop.until([&server = server] { return server.received_count == 30; }, "the quiet stream");
}

// Closed with datagrams on both sides of it.
CONTRACT_CASE(udp_close_with_everything_pending) {
  Loop loop;
  for (int round = 0; round < 500; ++round) {
    End& server = loop.datagram();
    End& client = loop.datagram(loopback(), loop.local(server));
    loop.receive(client);
    if (round % 2 == 0) loop.receive(server);
    send_all(loop, client, {{"one", {}}, {"", {}}, {"three", {}}});
    if (round % 3 == 0) loop.turn(Duration::zero());
    loop.close_and_forget(server);
    if (round % 5 == 0) send_all(loop, client, {{"nobody there", {}}});
    loop.close_and_forget(client);
  }
}

}  // namespace tern::test
