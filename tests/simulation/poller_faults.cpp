// Every fault of the simulated network has its effect, and no other.
#include <algorithm>
#include <set>

#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

// In how many pieces a text of 100,000 bytes was sent and received.
struct Transfer {
  std::uint64_t receives = 0;
  std::uint64_t sends = 0;
};

Transfer transfer(const Faults& faults, Style style, std::uint64_t seed) {
  const Network network(seed, faults, style);
  Loop loop;
  auto [client, server] = loop.pair();
  const std::string text = Pattern(seed).text(0, 100'000);
  loop.receive(server);
  loop.write(client, text);
  loop.finish_sending(client);
  loop.until([&server = server] { return server.ended; }, "the end");
  EXPECT(server.received == text);
  return {server.receives, client.sends};
}

// Connects until `count` connections were accepted; returns the errors that accepting met.
std::vector<std::error_code> accept_many(Loop& loop, std::size_t count) {
  End& listener = loop.listen();
  std::size_t accepted = 0;
  while (accepted < count) {
    End& client = loop.dial(loop.local(listener));
    const std::size_t aborted_before = listener.accept_errors.size();
    loop.until(
        [&] {
          const bool aborted = listener.accept_errors.size() > aborted_before &&
                               listener.accept_errors.back() == std::errc::connection_aborted;
          return aborted || !listener.accepted.empty();
        },
        "the listener's news");
    accepted += listener.accepted.size();
    while (!listener.accepted.empty()) {
      sockets().close(listener.accepted.front());
      listener.accepted.pop_front();
    }
    loop.close_and_forget(client);
  }
  return listener.accept_errors;
}

}  // namespace

SIMULATION_CASE(partial_sends_and_receives) {
  Faults faults;
  const Transfer whole = transfer(faults, Style::readiness, run.seed());
  CHECK(whole.receives <= 3);
  CHECK(whole.sends == 0);

  faults.partial_send = 1;
  CHECK(transfer(faults, Style::readiness, run.seed()).sends >= 5);
  faults.partial_send = 0;
  faults.partial_receive = 1;
  CHECK(transfer(faults, Style::readiness, run.seed()).receives >= 5);

  // A completion kernel is never in a hurry.
  std::uint64_t sends = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sends += transfer(Faults::none(), Style::completion, seed).sends;
  }
  CHECK(sends >= 10);
}

SIMULATION_CASE(small_buffers_bound_what_is_under_way) {
  Faults faults;
  faults.send_buffer_bytes = 1000;
  faults.receive_window_bytes = 500;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  auto [client, server] = loop.pair();
  loop.write(client, std::string(10'000, 'x'));
  loop.settle();
  CHECK(loop.counters().sent_bytes == 1500);
  loop.receive(server);
  loop.until([&server = server] { return server.received_count == 10'000; }, "all of it");
}

// The option of a socket counts for more than the network's.
SIMULATION_CASE(socket_buffers_are_heeded) {
  const Network network(run.seed(), Faults::none(), Style::readiness);
  Loop loop;
  SocketOptions options;
  options.send_buffer_bytes = 300;
  options.receive_buffer_bytes = 200;
  auto [client, server] = loop.pair(options);
  loop.write(client, std::string(10'000, 'x'));
  loop.settle();
  CHECK(loop.counters().sent_bytes == 500);
}

SIMULATION_CASE(resets_strike) {
  Faults faults;
  faults.reset = 0.1;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  int reset = 0;
  for (int round = 0; round < 100; ++round) {
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.receive(client);
    for (int index = 0; index < 5 && !client.failed(); ++index) {
      if (!client.sending) loop.offer(client, "some bytes");
      loop.turn();
    }
    reset += client.receive_error == std::errc::connection_reset ? 1 : 0;
    CHECK(static_cast<bool>(client.receive_error) == static_cast<bool>(server.receive_error));
    loop.close_and_forget(client);
    loop.close_and_forget(server);
  }
  CHECK(reset > 10);
  CHECK(reset < 90);
}

SIMULATION_CASE(connects_fail_and_take_time) {
  Faults faults;
  faults.connect_error = 0.5;
  faults.connect_delay_max = 10ms;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  End& listener = loop.listen();
  std::set<int> errors;
  int failed = 0;
  Duration slowest{0};
  for (int round = 0; round < 200; ++round) {
    const Time start = loop.poller().now();
    End& client = loop.dial(loop.local(listener));
    loop.until([&] { return !client.connecting; }, "the answer");
    slowest = std::max(slowest, loop.poller().now() - start);
    if (client.connect_error) {
      ++failed;
      errors.insert(client.connect_error.value());
    }
    loop.close_and_forget(client);
  }
  CHECK(failed > 50);
  CHECK(failed < 150);
  CHECK(errors.size() == 4);
  CHECK(slowest > 5ms);
  CHECK(slowest <= 11ms);
}

SIMULATION_CASE(late_completions) {
  Faults faults;
  faults.late_completion = 0.5;
  faults.late_completion_max = 20ms;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  Duration slowest{0};
  for (std::uint64_t round = 1; round <= 100; ++round) {
    const Time start = loop.poller().now();
    loop.write(client, "x");
    loop.until([&, &server = server] { return server.received_count == round; }, "the byte");
    slowest = std::max(slowest, loop.poller().now() - start);
  }
  CHECK(slowest > 10ms);
  CHECK(slowest <= 21ms);
}

// Without the setting channels are served in the order of their news.
SIMULATION_CASE(channels_are_shuffled) {
  const auto first_served = [&](bool shuffles) {
    Faults faults;
    faults.shuffles_channels = shuffles;
    const Network network(run.seed(), faults, Style::readiness);
    Loop loop;
    std::vector<Loop::Pair> pairs;
    std::set<std::size_t> firsts;
    std::size_t first = 0;
    bool any = false;
    for (std::size_t index = 0; index < 8; ++index) {
      pairs.push_back(loop.pair());
      pairs.back().server.then = [&, index](End&, const Completion&) {
        if (!any) first = index;
        any = true;
      };
      loop.receive(pairs.back().server);
    }
    for (int round = 0; round < 50; ++round) {
      any = false;
      for (auto& [client, server] : pairs) loop.write(client, "x");
      loop.settle(1);
      // In the first round the ready list still has the order in which the pairs were made.
      if (round > 0) firsts.insert(first);
    }
    return firsts.size();
  };
  CHECK(first_served(false) == 1);
  CHECK(first_served(true) >= 6);
}

SIMULATION_CASE(attaching_fails) {
  Faults faults;
  faults.attach_error = 0.5;
  const Network network(run.seed(), faults);
  simulated::Poller poller{PollerOptions{}};
  End owner;
  int failed = 0;
  for (int round = 0; round < 100; ++round) {
    const Socket socket = Loop::streaming();
    std::error_code error;
    const Channel channel = poller.attach(socket, &owner, error);
    CHECK(channel.valid() == !error);
    if (!error) continue;
    ++failed;
    CHECK((error == std::errc::not_enough_memory || error == std::errc::no_space_on_device));
    // It is still ours, and may be tried again or given back.
    sockets().close(socket);
  }
  CHECK(failed > 20);
  CHECK(failed < 80);
  CHECK(network.open_sockets() == static_cast<std::size_t>(100 - failed));
}

SIMULATION_CASE(accepting_fails_in_every_way) {
  Faults faults;
  faults.accept_error = 0.5;
  const Network network(run.seed(), faults, Style::readiness);
  Loop loop;
  const auto errors = accept_many(loop, 200);
  for (const std::errc why :
       {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
        std::errc::no_buffer_space, std::errc::not_enough_memory, std::errc::connection_aborted}) {
    CHECK(std::any_of(errors.begin(), errors.end(),
                      [&](const std::error_code& error) { return error == why; }));
  }
}

// A descriptor limit stands until a socket is closed, and does not make the listener spin.
SIMULATION_CASE(exhaustion_ends_with_the_next_close) {
  Network network(run.seed(), Faults::none(), Style::readiness);
  Loop loop;
  End& listener = loop.listen();
  End& first = loop.dial(loop.local(listener));
  loop.until([&] { return !listener.accepted.empty(); }, "the first");
  End& second = loop.attach(Loop::streaming());
  network.faults().sockets_max = network.open_sockets();
  std::error_code error;
  CHECK(!sockets().stream(Family::ipv4, {}, {}, error).valid());
  CHECK(error == std::errc::too_many_files_open);
  loop.connect(second, loop.local(listener));
  loop.until([&] { return !listener.accept_errors.empty(); }, "the error");
  CHECK(loop.turns_during(1s) <= 30);
  CHECK(listener.accepted.size() == 1);
  const Time start = loop.poller().now();
  loop.close_and_forget(first);
  loop.until([&] { return listener.accepted.size() == 2; }, "the second");
  CHECK(loop.poller().now() - start < 1ms);
}

SIMULATION_CASE(datagrams_are_lost_doubled_and_overtake) {
  const auto received = [&](const Faults& faults) {
    const Network network(run.seed(), faults, Style::readiness);
    Loop loop;
    End& from = loop.datagram();
    End& to = loop.datagram(loopback(), loop.local(from));
    loop.receive(to);
    for (char index = 0; index < 100; ++index) {
      const std::string_view text(&index, 1);
      const std::array<Datagram, 1> datagram = {Datagram{bytes_of(text), loop.local(to), false}};
      EXPECT_EQUAL(loop.offer_to(from, datagram), 1U);
    }
    loop.settle(5, 10ms);
    std::string all;
    for (const ReceivedDatagram& datagram : to.datagrams) all += datagram.bytes;
    return all;
  };
  const std::string all = received(Faults::none());
  CHECK(all.size() == 100);
  CHECK(std::is_sorted(all.begin(), all.end()));
  Faults faults;
  faults.datagram_loss = 0.3;
  CHECK(received(faults).size() < 90);
  faults.datagram_loss = 0;
  faults.datagram_duplicate = 0.3;
  CHECK(received(faults).size() > 110);
  faults.datagram_duplicate = 0;
  faults.latency_max = 5ms;
  std::string late = received(faults);
  CHECK(late.size() == 100);
  CHECK(!std::is_sorted(late.begin(), late.end()));
  std::sort(late.begin(), late.end());
  CHECK(late == all);
}

// Both ways to hear of a bounce: the receive that stands, or the next send.
SIMULATION_CASE(datagrams_bounce) {
  const Network network(run.seed(), Faults::none(), Style::readiness);
  Loop loop;
  End& gone = loop.datagram();
  const Endpoint nobody = loop.local(gone);
  loop.close_and_forget(gone);
  End& connected = loop.datagram(loopback(), nobody);
  End& unconnected = loop.datagram();
  const std::array<Datagram, 1> hello = {Datagram{bytes_of("hello"), nobody, false}};
  for (End* end : {&connected, &unconnected}) {
    loop.receive(*end);
    CHECK(loop.offer_to(*end, hello) == 1);
  }
  loop.settle();
  CHECK(connected.datagram_errors.size() == 1);
  CHECK(connected.datagram_errors.front() == std::errc::connection_refused);
  CHECK(unconnected.datagram_errors.empty());

  loop.stop(connected);
  for (int round = 0; round < 2; ++round) {
    CHECK(loop.offer_to(connected, hello) == 1);
    loop.settle();
  }
  // The second send told of the first one's bounce; the second's own is not told yet.
  CHECK(connected.datagram_errors.size() == 2);
  CHECK(connected.sends == 1);
}

SIMULATION_CASE(the_wide_world) {
  const Network network(run.seed(), Faults::none(), Style::readiness);
  Loop loop;
  const auto outcome = [&](std::array<std::uint8_t, 4> address) {
    const Time start = loop.poller().now();
    End& client = loop.dial(Endpoint::ipv4(address, 80));
    for (int turns = 0; client.connecting && turns < 100; ++turns) loop.turn(1h);
    const Duration took = loop.poller().now() - start;
    const std::error_code error = client.connect_error;
    loop.close_and_forget(client);
    return std::pair(error, took);
  };
  CHECK(outcome({192, 0, 2, 1}).first == std::errc::connection_refused);
  CHECK(outcome({198, 51, 100, 1}).first == std::errc::host_unreachable);
  CHECK(outcome({8, 8, 8, 8}).first == std::errc::network_unreachable);
  const auto [error, took] = outcome({203, 0, 113, 1});
  CHECK(error == std::errc::timed_out);
  CHECK(took > 120s);
  CHECK(took < 130s);
}

// A full backlog drops the request, which is repeated after a second.
SIMULATION_CASE(a_full_backlog_delays_the_connect) {
  const Network network(run.seed(), Faults::none(), Style::readiness);
  Loop loop;
  ListenOptions options;
  options.backlog = 2;
  End& listener = loop.attach(Loop::listening(loopback(), options));
  std::vector<End*> clients;
  for (int index = 0; index < 5; ++index) clients.push_back(&loop.dial(loop.local(listener)));
  loop.settle();
  const auto is_open = [](const End* end) { return end->connected; };
  CHECK(std::count_if(clients.begin(), clients.end(), is_open) == 3);
  loop.accept(listener);
  const Time start = loop.poller().now();
  loop.until([&] { return listener.accepted.size() == 5; }, "the others");
  CHECK(loop.poller().now() - start > 900ms);
  CHECK(loop.poller().now() - start < 1100ms);
}

}  // namespace tern::test
