// Listeners: where they listen, whom they turn away, and what is left when they close.
#include "tern/listener.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "tests/support/stage.hpp"
#include "tests/support/temporary_path.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// The message of the exception that listening there throws; empty if it throws none.
std::string problem_of(Reactor& reactor, const Endpoint& endpoint, std::error_code& error) {
  Recorder protocol;
  const Limits limits;
  try {
    Listener listener(reactor, endpoint, protocol, limits);
    return {};
  } catch (const std::system_error& problem) {
    error = problem.code();
    return problem.what();
  }
}

// A conversation through a listener on `endpoint`; returns where it was.
Endpoint talk_over(const Endpoint& endpoint) {
  Recorder server;
  Recorder client;
  const Limits limits;
  Reactor reactor;
  Listener listener(reactor, endpoint, server, limits);
  server.on_received = [](Connection& connection, auto bytes) { connection.send(bytes); };
  Connector connector(reactor, client, limits);
  Seen& caller = client.adopt(connector.connect(listener.local()));
  until(
      reactor, [&] { return caller.opened == 1; }, "the connection");
  CHECK(caller.connection->peer() == listener.local());
  caller.connection->send("hello");
  caller.connection->finish();
  until(
      reactor, [&] { return caller.closed == 1; }, "the end");
  CHECK(caller.received == "hello");
  CHECK(caller.reason == CloseReason::finished);
  return listener.local();
}

}  // namespace

CORE_CASE("listener: IPv4, IPv6 and Unix sockets") {
  const Endpoint ipv4 = talk_over(loopback());
  CHECK(ipv4.port() != 0);
  CHECK(ipv4.with_port(0) == loopback());
  const Endpoint ipv6 = talk_over(*Endpoint::from_address("::1", 0));
  CHECK(ipv6.family() == Family::ipv6);
  CHECK(ipv6.port() != 0);
  if (lacks_sockets_by_path()) return;
  const TemporaryPath path;
  CHECK(talk_over(*Endpoint::local(path.string())).path() == path.string());
  CHECK_FALSE(std::filesystem::exists(path.string()));
  CHECK(talk_over(*Endpoint::local(path.string())).path() == path.string());
}

CORE_CASE("listener: what cannot be listened on is said with the place") {
  Stage stage;
  std::error_code error;
  const Endpoint taken = stage.listener->local();
  CHECK(problem_of(stage.reactor, taken, error).starts_with("listen tcp://" + taken.to_string()));
  CHECK(error == std::errc::address_in_use);
  const Endpoint foreign = *Endpoint::from_address("192.0.2.77", 0);
  CHECK(problem_of(stage.reactor, foreign, error).starts_with("listen tcp://192.0.2.77:0"));
  CHECK(error == std::errc::address_not_available);
  // On kernels the folder is missing; on the simulated network nothing lies below a ".sock".
  const Endpoint nowhere = *Endpoint::local("/nowhere-at-all.sock/tern.sock");
  CHECK(problem_of(stage.reactor, nowhere, error).starts_with("listen unix:/nowhere-at-all.sock"));
  CHECK(error);
  CHECK(problem_of(stage.reactor, Endpoint{}, error).starts_with("listen tcp://-"));
  // Nothing is left of those: the first listener still works.
  stage.until_closed([&] {
    Pair pair = stage.pair();
    pair.client.connection->finish();
    return pair;
  }());
}

CORE_CASE("listener: above its limit a client is reset at once, and counted") {
  Recorder server;
  Recorder client;
  const Limits limits;
  Reactor reactor;
  ListenerOptions options;
  options.connections_max = 3;
  Listener listener(reactor, loopback(), server, limits, options);
  Connector connector(reactor, client, limits);
  for (int i = 0; i < 5; ++i) client.adopt(connector.connect(listener.local()));
  until(
      reactor, [&] { return client.closed_count() == 2; }, "two to be turned away");
  settle(reactor);
  CHECK(server.seen.size() == 3);
  CHECK(reactor.counters().refused == 2);
  CHECK(reactor.counters().accepted == 3);
  for (const Seen& each : client.seen) {
    if (each.closed == 1) CHECK(each.error == std::errc::connection_reset);
  }
  // One leaves: there is room for one.
  server.seen.front().connection->abort();
  until(
      reactor, [&] { return server.closed_count() == 1; }, "one to leave");
  settle(reactor);
  Seen& late = client.adopt(connector.connect(listener.local()));
  until(
      reactor, [&] { return server.seen.size() == 4; }, "the late one");
  CHECK(late.opened == 1);
  CHECK(reactor.counters().refused == 2);
}

CORE_CASE("listener: closed, its connections live on and nobody new comes") {
  Stage stage;
  stage.server.on_received = [](Connection& connection, auto bytes) { connection.send(bytes); };
  Pair pair = stage.pair();
  const Endpoint where = stage.listener->local();
  stage.listener->close();
  stage.listener->close();
  CHECK(stage.listener->local() == Endpoint{});
  stage.settle();
  Seen& late =
      stage.client.adopt(Connector(stage.reactor, stage.client, stage.limits).connect(where));
  stage.until([&] { return late.closed == 1; }, "the refusal");
  CHECK(late.reason == CloseReason::connect_failed);
  CHECK(late.error == std::errc::connection_refused);
  pair.client.connection->send("still here");
  stage.until([&] { return pair.client.received == "still here"; }, "the echo");
  stage.listener.reset();
  pair.client.connection->finish();
  stage.until_closed(pair);
  CHECK(pair.client.reason == CloseReason::finished);
}

CORE_CASE("listener: destroyed before, after and while its connections are made and ended") {
  for (const int when : {0, 1, 2, 3}) {
    Stage stage;
    if (when == 0) stage.server.on_opened = [&](Connection&) { stage.listener.reset(); };
    if (when == 1) stage.server.on_received = [&](Connection&, auto) { stage.listener.reset(); };
    if (when == 2) {
      stage.server.on_closed = [&](Connection&, CloseReason) { stage.listener.reset(); };
    }
    Pair pair = stage.pair();
    pair.client.connection->send("x");
    pair.client.connection->finish();
    stage.until_closed(pair);
    stage.settle();
    CHECK(stage.reactor.counters().open_connections == 0);
  }
}

CORE_CASE("listener: those who wait to be accepted when it closes are turned away") {
  Stage stage;
  stage.server.on_opened = [&](Connection&) { stage.listener.reset(); };
  std::vector<Seen*> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(&stage.connect());
  stage.until([&] { return stage.client.closed_count() == 4; }, "the others");
  CHECK(stage.server.seen.size() == 1);
}

CORE_CASE("listener: fifty times on one port, with live connections; a second one is refused") {
  Recorder server;
  Recorder client;
  const Limits limits;
  Reactor reactor;
  Connector connector(reactor, client, limits);
  Endpoint where = loopback();
  for (std::size_t round = 0; round < 50; ++round) {
    settle(reactor);  // a completion kernel lets go of the port a moment later
    Listener listener(reactor, where, server, limits);
    where = listener.local();
    std::error_code error;
    CHECK_FALSE(problem_of(reactor, where, error).empty());
    client.adopt(connector.connect(where));
    until(
        reactor, [&] { return server.seen.size() == round + 1; }, "the connection");
    // Ended by our side, which is the one that the port is then kept busy for.
    if (round % 2 == 0) server.seen.back().connection->close();
  }
  settle(reactor);
  CHECK(reactor.counters().accepted == 50);
}

CORE_CASE("listener: two on one port share it when both say so") {
  Recorder server;
  Recorder client;
  const Limits limits;
  Reactor reactor;
  ListenerOptions options;
  options.listen.socket.reuse_port = true;
  std::optional<Listener> sharing;
  try {
    sharing.emplace(reactor, loopback(), server, limits, options);
  } catch (const std::system_error& error) {
    REQUIRE(error.code() == std::errc::operation_not_supported);
    MESSAGE("left out: this system balances no listeners");
    return;
  }
  const Listener& first = *sharing;
  const Listener second(reactor, first.local(), server, limits, options);
  CHECK(first.local() == second.local());
  Connector connector(reactor, client, limits);
  for (int i = 0; i < 20; ++i) client.adopt(connector.connect(first.local()));
  until(
      reactor, [&] { return server.seen.size() == 20; }, "all of them");
}

CORE_CASE("listener: a storm of connects is accepted in few turns") {
  Stage stage;
  for (int i = 0; i < 300; ++i) stage.connect();
  stage.until([&] { return stage.server.seen.size() == 300; }, "all of them");
  CHECK(stage.reactor.counters().accepted == 300);
  CHECK(stage.reactor.counters().turns < 300);
}
