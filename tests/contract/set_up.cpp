// The set-up calls: addresses, ports, restarts, options.
#include "tests/contract/support/contract_case.hpp"
#include "tests/support/socket_options.hpp"
#include "tests/support/temporary_path.hpp"

namespace tern::test {

// Stop and start fifty times on one port while clients of each life stay connected; meanwhile
// nobody else gets the port.
CONTRACT_CASE(restart_on_the_same_port) {
  Loop loop;
  Endpoint address = loopback();
  std::vector<Loop::Pair> connected;
  for (int life = 0; life < 50; ++life) {
    End& listener = loop.listen(address);
    address = loop.local(listener);
    std::error_code error;
    EXPECT(!sockets().listen(address, {}, error).valid());
    EXPECT(error == std::errc::address_in_use);
    connected.push_back(loop.pair_through(listener));
    if (life % 2 == 0) {
      // The server's side closes first in every second life: its port waits out its time.
      loop.close_and_forget(loop.pair_through(listener).server);
    }
    loop.close_and_forget(listener);
  }
  for (auto& [client, server] : connected) {
    loop.receive(server);
    loop.write(client, "still connected");
  }
  for (auto& [client, server] : connected) {
    loop.until([&server = server] { return server.received == "still connected"; }, "the bytes");
  }
}

// After a listener's close completion its port is free and a connect is refused.
CONTRACT_CASE(a_closed_listener_refuses) {
  Loop loop;
  End& listener = loop.listen();
  const Endpoint address = loop.local(listener);
  loop.close_and_forget(listener);
  End& client = loop.dial(address);
  loop.until([&] { return !client.connecting; }, "the answer");
  EXPECT(client.connect_error == std::errc::connection_refused);
}

CONTRACT_CASE(addresses_of_every_family) {
  Loop loop;
  const TemporaryPath path;
  for (const Endpoint& wish : {loopback(), loopback_ipv6(), *Endpoint::local(path.string())}) {
    std::error_code error;
    const Socket socket = sockets().listen(wish, {}, error);
    if (error && wish.family() == Family::ipv6) continue;  // a machine without IPv6
    if (error == std::errc::address_family_not_supported) continue;
    EXPECT_NOTE(!error, wish.to_string() + ": " + error.message());
    EXPECT(socket.kind == SocketKind::listener);
    const Endpoint local = sockets().local(socket);
    EXPECT(local.family() == wish.family());
    EXPECT(local.address() == wish.address());
    EXPECT(local.path() == wish.path());
    EXPECT_EQUAL(local.port() != 0, wish.is_ip());
    End& listener = loop.attach(socket);
    loop.accept(listener);
    auto [client, server] = loop.pair_through(listener);
    EXPECT_EQUAL(loop.peer(client), local);
    EXPECT_EQUAL(loop.local(server), local);
    EXPECT_EQUAL(loop.peer(server), loop.local(client));
  }
  const Socket fresh = Loop::streaming();
  EXPECT(sockets().peer(fresh).family() == Family::none);
  sockets().close(fresh);
}

// [::] is IPv6 alone unless it is told otherwise, so both families can have one port number.
CONTRACT_CASE(ipv6_takes_ipv4_only_when_told) {
  Loop loop;
  std::error_code error;
  const Socket six = sockets().listen(Endpoint::ipv6({}, 0), {}, error);
  if (error) run.skip("no IPv6 here: " + error.message());
  const std::uint16_t port = sockets().local(six).port();
  const Socket four = sockets().listen(Endpoint::ipv4({}, port), {}, error);
  EXPECT_NOTE(!error, error.message());
  sockets().close(six);
  sockets().close(four);

  ListenOptions both;
  both.v6_only = false;
  End& listener = loop.attach(Loop::listening(Endpoint::ipv6({}, 0), both));
  loop.accept(listener);
  End& client = loop.dial(loopback(loop.local(listener).port()));
  loop.until([&] { return !client.connecting; }, "the answer");
  EXPECT(client.connected);
}

// Several listeners on one port: each connection comes to one of them, all arrive.
CONTRACT_CASE(reuse_port_shares) {
  Loop loop;
  ListenOptions options;
  options.socket.reuse_port = true;
  std::error_code error;
  const Socket first = sockets().listen(loopback(), options, error);
  if (error == std::errc::operation_not_supported) run.skip("no balancing on this system");
  EXPECT(!error);
  End& left = loop.attach(first);
  End& right = loop.listen(loop.local(left), options);
  loop.accept(left);
  constexpr std::size_t count = 100;
  for (std::size_t index = 0; index < count; ++index) loop.dial(loop.local(left));
  loop.until([&] { return left.accepted.size() + right.accepted.size() == count; }, "everybody");
}

CONTRACT_CASE(names_are_resolved) {
  std::error_code error;
  const std::vector<Endpoint> numeric = sockets().resolve("127.0.0.1", 7, error);
  EXPECT(!error);
  EXPECT_EQUAL(numeric.size(), 1U);
  EXPECT_EQUAL(numeric[0], loopback(7));
  const std::vector<Endpoint> six = sockets().resolve("::1", 9, error);
  EXPECT(!error);
  EXPECT_EQUAL(six.size(), 1U);
  EXPECT_EQUAL(six[0], loopback_ipv6(9));
  for (const Endpoint& endpoint : sockets().resolve("localhost", 80, error)) {
    EXPECT(endpoint.is_loopback());
    EXPECT_EQUAL(endpoint.port(), 80U);
  }
  // RFC 6761: a name that never exists.
  error.clear();
  EXPECT(sockets().resolve("nobody.invalid", 80, error).empty());
  EXPECT(error);
  EXPECT(!error.message().empty());
}

void exchange_text(const Case& run, Loop& loop, const SocketOptions& options, std::size_t size) {
  auto [client, server] = loop.pair(options);
  loop.receive(server);
  const std::string text = Pattern(run.seed()).text(0, size);
  loop.write(client, text);
  loop.until([&server = server, size] { return server.received_count >= size; }, "the text");
  EXPECT(server.received == text);
}

// Options are heeded or refused, on every kind of socket; none breaks the stream, each alone and
// all together.
CONTRACT_CASE(socket_options_are_taken) {
  Loop loop;
  SocketOptions together = no_socket_options();
  for (const SocketOptionRow& row : socket_option_table) {
    if (row.heeded_by == HeededBy::bound) continue;
    SocketOptions options = no_socket_options();
    change(options, row, AskFor{});
    std::error_code error;
    const Socket stream = sockets().stream(Family::ipv4, {}, options, error);
    if (error == std::errc::operation_not_supported) continue;
    EXPECT_NOTE(!error, error.message());
    sockets().close(stream);
    exchange_text(run, loop, options, 50'000);
    change(together, row, AskFor{});
  }
  exchange_text(run, loop, together, 500'000);
  together.no_delay = false;
  exchange_text(run, loop, together, 500'000);
}

}  // namespace tern::test
