// What the simulated network does as TCP, UDP and Unix sockets do, beyond what the contract says.
#include <algorithm>
#include <set>

#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

struct Quiet {
  explicit Quiet(const Case& run, Style style = Style::readiness)
      : network(run.seed(), Faults::none(), style) {}
  Network network;
  Loop loop;
};

}  // namespace

// TCP says so to a peer whose bytes were thrown away unread.
SIMULATION_CASE(closing_with_unread_input_resets) {
  Quiet world(run);
  Loop& loop = world.loop;
  auto [client, server] = loop.pair();
  loop.receive(client);
  loop.write(client, "never read");
  loop.settle();
  loop.write(server, "lost");
  loop.close_and_forget(server);
  loop.until([&client = client] { return client.finished(); }, "the reset");
  CHECK(client.receive_error == std::errc::connection_reset);
}

// And delivers everything to one whose bytes were read, long after the sender is gone.
SIMULATION_CASE(what_was_sent_outlives_the_sender) {
  Quiet world(run);
  Loop& loop = world.loop;
  world.network.faults().send_buffer_bytes = 1 << 20;
  world.network.faults().receive_window_bytes = 1000;
  auto [client, server] = loop.pair();
  const std::string text = Pattern(1).text(0, 500'000);
  loop.write(server, text);
  loop.until([&server = server] { return Loop::written(server); }, "it to be taken");
  loop.close_and_forget(server);
  loop.receive(client);
  loop.until([&client = client] { return client.finished(); }, "the end");
  CHECK(client.ended);
  CHECK(client.received == text);
}

// A byte sent to a closed end is answered with a reset, which takes unread bytes with it.
SIMULATION_CASE(sending_to_a_closed_end_resets) {
  Quiet world(run);
  Loop& loop = world.loop;
  auto [client, server] = loop.pair();
  loop.write(server, "unread when the reset comes");
  loop.close_and_forget(server);
  loop.settle();
  loop.write(client, "anybody?");
  loop.settle();
  CHECK(loop.offer(client, "x") == 0);
  loop.until([&client = client] { return static_cast<bool>(client.send_error); }, "the error");
  // The end had come before the reset, so there is only nobody to send to.
  CHECK(client.send_error == std::errc::broken_pipe);
  loop.receive(client);
  loop.until([&client = client] { return client.finished(); }, "the reset");
  CHECK(client.received.empty());
  CHECK(client.receive_error == std::errc::connection_reset);
}

SIMULATION_CASE(the_second_send_to_the_gone_is_a_broken_pipe) {
  Quiet world(run);
  Loop& loop = world.loop;
  auto [client, server] = loop.pair();
  loop.reset(server);
  loop.settle();
  std::vector<std::errc> expected = {std::errc::connection_reset, std::errc::broken_pipe,
                                     std::errc::broken_pipe};
  for (const std::errc why : expected) {
    CHECK(loop.offer(client, "x") == 0);
    loop.until([&client = client] { return !client.sending; }, "the error");
    CHECK(client.send_error == why);
  }
}

SIMULATION_CASE(ports_begin_at_32768_and_come_back) {
  Quiet world(run);
  Loop& loop = world.loop;
  End& listener = loop.listen();
  CHECK(loop.local(listener).port() == 32768);
  std::set<std::uint16_t> ports = {32768};
  for (int index = 0; index < 50; ++index) {
    End& client = loop.dial(loop.local(listener));
    CHECK(ports.insert(loop.local(client).port()).second);
    CHECK(loop.local(client).address() == loopback().address());
  }
  // All of them are used up, and free again.
  std::vector<Socket> bound;
  std::error_code error;
  while (!error) {
    bound.push_back(sockets().stream(Family::ipv4, loopback(40'000), {}, error));
    if (error) break;
    error.clear();
    while (!error) {
      const Socket next = sockets().datagram(loopback(), {}, {}, error);
      if (!error) bound.push_back(next);
    }
  }
  CHECK(error == std::errc::address_in_use);
  CHECK(bound.size() == 1 + 60'999 - 32'768 + 1);
  for (const Socket socket : bound) sockets().close(socket);
  error.clear();
  sockets().close(sockets().datagram(loopback(), {}, {}, error));
  CHECK(!error);
}

// Connecting from an address to itself opens a stream that is its own peer.
SIMULATION_CASE(a_stream_may_connect_to_itself) {
  Quiet world(run);
  Loop& loop = world.loop;
  End& end = loop.dial(loopback(45'000), {}, loopback(45'000));
  loop.until([&] { return !end.connecting; }, "the answer");
  CHECK(end.connected);
  CHECK(loop.local(end) == loop.peer(end));
  loop.receive(end);
  loop.write(end, "echo");
  loop.until([&] { return end.received_count == 4; }, "the echo");
  loop.shutdown_send(end);
  loop.until([&] { return end.ended; }, "the end");
  loop.close_and_forget(end);
  CHECK(world.network.open_sockets() == 0);
}

SIMULATION_CASE(listeners_share_a_port_by_hash) {
  Quiet world(run);
  Loop& loop = world.loop;
  ListenOptions options;
  options.socket.reuse_port = true;
  End& first = loop.listen(loopback(7000), options);
  End& second = loop.listen(loopback(7000), options);
  std::error_code error;
  CHECK(!sockets().listen(loopback(7000), {}, error).valid());
  CHECK(error == std::errc::address_in_use);
  for (int index = 0; index < 200; ++index) loop.dial(loopback(7000));
  loop.until([&] { return first.accepted.size() + second.accepted.size() == 200; }, "everybody");
  CHECK(first.accepted.size() > 60);
  CHECK(second.accepted.size() > 60);
}

SIMULATION_CASE(names) {
  const Quiet world(run);
  std::error_code error;
  const std::vector<Endpoint> expected = {Endpoint::ipv4({192, 0, 2, 1}, 7), loopback(7)};
  CHECK(sockets().resolve("two.sim", 7, error) == expected);
  CHECK(!error);
  CHECK(sockets().resolve("localhost", 7, error).size() == 2);
  CHECK(sockets().resolve("nowhere.sim", 7, error).empty());
  CHECK(error);
  CHECK(is_portable(error));
}

// What a completion kernel was given it reads when it likes: bytes that were changed meanwhile
// arrive changed.
SIMULATION_CASE(a_completion_kernel_reads_late) {
  bool arrived_changed = false;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Network network(seed, Faults::none(), Style::completion);
    Loop loop;
    CHECK(loop.poller().sends_later());
    auto [client, server] = loop.pair();
    loop.receive(server);
    std::string text(1000, 'a');
    const std::size_t taken = loop.offer(client, text);
    std::fill(text.begin(), text.end(), 'b');
    loop.settle();
    CHECK(taken + client.send_taken == text.size());
    CHECK(server.received.substr(0, taken) == std::string(taken, 'a'));
    CHECK(server.received.substr(taken) == std::string(text.size() - taken, 'b'));
    arrived_changed = arrived_changed || server.received.find('b') != std::string::npos;
  }
  CHECK(arrived_changed);
}

// Nothing is left behind, whatever the state in which things are closed.
SIMULATION_CASE(everything_is_accounted_for) {
  for (const Style style : {Style::readiness, Style::completion}) {
    Network network(run.seed(), Faults::none(), style);
    {
      Loop loop;
      End& listener = loop.listen();
      End& waiting = loop.dial(loop.local(listener));
      CHECK(network.pending_operations() == 1);
      loop.until([&] { return !listener.accepted.empty(); }, "the accept");
      CHECK(network.open_sockets() == 3);
      loop.until([&] { return !waiting.connecting; }, "the connect");
      CHECK(network.pending_operations() == 0);
      loop.write(waiting, std::string(10'000'000, 'x'));
      loop.settle();
      CHECK(waiting.sending);
      CHECK(network.pending_operations() == 1);
      loop.dial(loopback(9));
      End& datagram = loop.datagram();
      loop.close(datagram);
      CHECK(network.pending_operations() == 3);
    }
    CHECK(network.open_sockets() == 0);
    CHECK(network.pending_operations() == 0);
    // What is still under way finds nobody.
    simulated::Poller poller{PollerOptions{}};
    for (int waits = 0; waits < 1000 && network.events() > 0; ++waits) poller.wait(1h);
    CHECK(network.events() == 0);
  }
}

SIMULATION_CASE(datagrams_reach_the_connected_first) {
  Quiet world(run);
  Loop& loop = world.loop;
  End& from = loop.datagram();
  SocketOptions options;
  options.reuse_port = true;
  std::error_code error;
  End& open = loop.attach(sockets().datagram(loopback(5300), {}, options, error));
  End& connected =
      loop.attach(sockets().datagram(loopback(5300), loop.local(from), options, error));
  CHECK(!error);
  loop.receive(open);
  loop.receive(connected);
  const std::array<Datagram, 1> datagram = {Datagram{bytes_of("x"), loopback(5300), false}};
  CHECK(loop.offer_to(from, datagram) == 1);
  loop.settle();
  CHECK(open.datagrams.empty());
  CHECK(connected.datagrams.size() == 1);
}

}  // namespace tern::test
