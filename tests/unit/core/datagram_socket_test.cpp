// Datagram sockets: batches, addresses, and what goes wrong without ending the socket.
#include "tern/datagram_socket.hpp"

#include <algorithm>
#include <vector>

#include "tests/support/stage.hpp"
#include "tools/tern/echo/protocol.hpp"

using namespace tern;
using namespace tern::test;

namespace {

struct Message {
  std::string text;
  Endpoint peer;
  bool truncated;
};

class Listening final : public DatagramProtocol {
 public:
  std::vector<Message> messages;
  std::vector<std::error_code> errors;
  std::size_t batches = 0;
  int closed_count = 0;
  std::function<void(DatagramSocket&)> on_received;

 private:
  void received(DatagramSocket& socket, std::span<const Datagram> datagrams) override {
    CHECK(closed_count == 0);
    CHECK_FALSE(datagrams.empty());
    ++batches;
    for (const Datagram& each : datagrams) {
      messages.push_back({std::string(text_of(each.bytes)), each.peer, each.truncated});
    }
    if (on_received) on_received(socket);
  }
  void failed(DatagramSocket&, const std::error_code& error) override {
    CHECK(closed_count == 0);
    CHECK(error);
    errors.push_back(error);
  }
  void closed(DatagramSocket&) override { ++closed_count; }
};

// Until the kernel has room for it: what it does not take is dropped.
void send_until_taken(DatagramSocket& socket, std::string_view text, const Endpoint& peer = {}) {
  for (std::uint64_t tries = 1; socket.send(bytes_of(text), peer) == 0; ++tries) {
    CHECK(socket.dropped() >= tries);
    REQUIRE(tries < 1000);
    socket.reactor().turn(1ms);
  }
}

}  // namespace

CORE_CASE("datagrams: a batch is echoed to whom it came from, in order") {
  tool::DatagramEcho echo;
  Listening left;
  Listening right;
  Reactor reactor;
  DatagramSocket& server = DatagramSocket::open(reactor, echo, loopback());
  DatagramSocket& first = DatagramSocket::open(reactor, left, loopback(), server.local());
  DatagramSocket& second = DatagramSocket::open(reactor, right, loopback());
  CHECK(server.local().port() != 0);
  std::vector<std::string> texts;
  std::vector<Datagram> batch;
  for (int i = 0; i < 100; ++i) texts.push_back("message " + std::to_string(i));
  for (const std::string& text : texts) batch.push_back({bytes_of(text), {}, false});
  // What a batch is not taken of is dropped, as the network would; so it is offered again.
  for (std::size_t taken = 0; taken < batch.size(); reactor.turn(0ms)) {
    taken += first.send(std::span(batch).subspan(taken));
  }
  send_until_taken(second, "from the other", server.local());
  // What the echo finds no room for is dropped, and counted.
  const auto all_is_back = [&] {
    return left.messages.size() + right.messages.size() + server.dropped() == 101;
  };
  until(reactor, all_is_back, "the echoes");
  if (!sends_later(reactor)) CHECK(server.dropped() == 0);
  auto text = texts.begin();
  for (const Message& message : left.messages) {
    text = std::find(text, texts.end(), message.text);
    CHECK(text != texts.end());
    CHECK(message.peer == server.local());
    CHECK_FALSE(message.truncated);
  }
  CHECK(left.batches < 100);  // they come in batches, too
  for (const Message& message : right.messages) CHECK(message.text == "from the other");
  CHECK(&first.reactor() == &reactor);
}

CORE_CASE("datagrams: an empty one is data") {
  Listening listening;
  Reactor reactor;
  DatagramSocket& server = DatagramSocket::open(reactor, listening, loopback());
  DatagramSocket& client = DatagramSocket::open(reactor, listening, loopback(), server.local());
  send_until_taken(client, "");
  send_until_taken(client, "after");
  until(
      reactor, [&] { return listening.messages.size() == 2; }, "both");
  CHECK(listening.messages[0].text.empty());
  CHECK(listening.messages[0].peer == client.local());
  CHECK(listening.messages[1].text == "after");
  CHECK(client.send(std::span<const Datagram>{}) == 0);
}

CORE_CASE("datagrams: one that is longer than the room for it is truncated and says so") {
  Listening listening;
  ReactorOptions options;
  options.datagram_bytes = 100;
  Reactor reactor(options);
  DatagramSocket& server = DatagramSocket::open(reactor, listening, loopback());
  DatagramSocket& client = DatagramSocket::open(reactor, listening, loopback(), server.local());
  const std::string long_one(101, 'x');
  const std::string right_one(100, 'y');
  send_until_taken(client, long_one);
  send_until_taken(client, right_one);
  until(
      reactor, [&] { return listening.messages.size() == 2; }, "both");
  CHECK(listening.messages[0].text == std::string(100, 'x'));
  CHECK(listening.messages[0].truncated);
  CHECK(listening.messages[1].text == right_one);
  CHECK_FALSE(listening.messages[1].truncated);
}

CORE_CASE("datagrams: the largest passes, a larger one is an error and the socket lives on") {
  Listening listening;
  Listening sending;
  Reactor reactor;
  DatagramSocket& server = DatagramSocket::open(reactor, listening, loopback());
  DatagramSocket& client = DatagramSocket::open(reactor, sending, loopback(), server.local());
  const std::string largest(DatagramSocket::payload_bytes_max, 'x');
  const std::string too_long(DatagramSocket::payload_bytes_max + 1, 'y');
  send_until_taken(client, too_long);
  send_until_taken(client, largest);
  until(
      reactor, [&] { return listening.messages.size() == 1 && sending.errors.size() == 1; },
      "the largest");
  CHECK(listening.messages[0].text.size() == largest.size());
  CHECK_FALSE(listening.messages[0].truncated);
  CHECK(sending.errors[0] == std::errc::message_size);
  CHECK(sending.closed_count == 0);
}

CORE_CASE("datagrams: a bounce is told to a connected socket, which lives on") {
  Listening nobody;
  Listening sending;
  Listening listening;
  Reactor reactor;
  DatagramSocket& gone = DatagramSocket::open(reactor, nobody, loopback());
  const Endpoint where = gone.local();
  gone.close();
  until(
      reactor, [&] { return nobody.closed_count == 1; }, "the port to be free");
  DatagramSocket& client = DatagramSocket::open(reactor, sending, loopback(), where);
  send_until_taken(client, "anybody there?");
  until(
      reactor, [&] { return sending.errors.size() == 1; }, "the bounce");
  CHECK(sending.errors[0] == std::errc::connection_refused);
  // Somebody comes, and is heard.
  DatagramSocket::open(reactor, listening, where);
  send_until_taken(client, "and now?");
  until(
      reactor, [&] { return listening.messages.size() == 1; }, "the next one");
  CHECK(sending.closed_count == 0);
}

CORE_CASE("datagrams: a connected socket hears its peer only") {
  Listening connected;
  Listening other;
  Reactor reactor;
  DatagramSocket& peer = DatagramSocket::open(reactor, other, loopback());
  DatagramSocket& stranger = DatagramSocket::open(reactor, other, loopback());
  DatagramSocket& socket = DatagramSocket::open(reactor, connected, loopback(), peer.local());
  send_until_taken(stranger, "from a stranger", socket.local());
  send_until_taken(peer, "from the peer", socket.local());
  until(
      reactor, [&] { return !connected.messages.empty(); }, "the peer");
  settle(reactor);
  CHECK(connected.messages.size() == 1);
  CHECK(connected.messages[0].text == "from the peer");
}

CORE_CASE("datagrams: paused, they wait") {
  Listening listening;
  Reactor reactor;
  DatagramSocket& server = DatagramSocket::open(reactor, listening, loopback());
  DatagramSocket& client = DatagramSocket::open(reactor, listening, loopback(), server.local());
  server.pause();
  server.pause();
  send_until_taken(client, "one");
  send_until_taken(client, "two");
  settle(reactor);
  CHECK(listening.messages.empty());
  server.resume();
  until(
      reactor, [&] { return listening.messages.size() == 2; }, "both");
  listening.on_received = [](DatagramSocket& socket) { socket.pause(); };
  send_until_taken(client, "three");
  until(
      reactor, [&] { return listening.messages.size() == 3; }, "the third");
  send_until_taken(client, "four");
  settle(reactor);
  CHECK(listening.messages.size() == 3);
}

CORE_CASE("datagrams: closed() is the last call, also when closed inside received()") {
  Listening listening;
  Listening sending;
  Reactor reactor;
  DatagramSocket& server = DatagramSocket::open(reactor, listening, loopback());
  DatagramSocket& client = DatagramSocket::open(reactor, sending, loopback(), server.local());
  listening.on_received = [&](DatagramSocket& socket) {
    socket.close();
    socket.close();
    socket.pause();
    socket.resume();
    CHECK(socket.send(bytes_of("dropped"), client.local()) == 0);
    CHECK(socket.local() == Endpoint{});
    CHECK(listening.closed_count == 0);
  };
  for (int i = 0; i < 5; ++i) send_until_taken(client, "x");
  until(
      reactor, [&] { return listening.closed_count == 1; }, "closed()");
  settle(reactor);
  CHECK(listening.batches == 1);
  CHECK(sending.messages.empty());
}

CORE_CASE("datagrams: a reactor that is destroyed tells every socket") {
  Listening listening;
  {
    Reactor reactor;
    for (int i = 0; i < 5; ++i) DatagramSocket::open(reactor, listening, loopback());
  }
  CHECK(listening.closed_count == 5);
}

CORE_CASE("datagrams: what cannot be opened is said with the place") {
  Listening listening;
  Reactor reactor;
  DatagramSocket& taken = DatagramSocket::open(reactor, listening, loopback());
  const auto problem = [&](const Endpoint& local, const Endpoint& remote) -> std::string {
    try {
      DatagramSocket::open(reactor, listening, local, remote);
      return {};
    } catch (const std::system_error& error) {
      CHECK(error.code());
      return error.what();
    }
  };
  CHECK(problem(taken.local(), {}).starts_with("bind udp://" + taken.local().to_string()));
  CHECK(problem(*Endpoint::from_address("2001:db8::77", 0), {})
            .starts_with("bind udp://[2001:db8::77]"));
  CHECK(problem(*Endpoint::from_address("::1", 0), taken.local())
            .starts_with("connect udp://" + taken.local().to_string()));
  CHECK_FALSE(problem({}, {}).empty());
  settle(reactor);
  CHECK(listening.closed_count == 0);
}
