// Connectors: addresses in order, deadlines, refusals, names. Names of the real world are looked up
// on other threads: those cases are in connector_names_test.cpp.
#include "tern/connector.hpp"

#include <vector>

#include "tests/support/stage.hpp"
#include "tests/support/temporary_path.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// A port on which nobody listens, and a moment ago somebody did.
Endpoint closed_port(Reactor& reactor) {
  Recorder nobody;
  const Limits limits;
  const Endpoint where = Listener(reactor, loopback(), nobody, limits).local();
  settle(reactor);
  return where;
}

// A listener that never answers: its queue is full and nobody accepts.
class Silence {
 public:
  explicit Silence(Reactor& reactor) {
    ListenOptions options;
    options.backlog = 0;
    std::error_code error;
    socket_ = sockets().listen(loopback(), options, error);
    REQUIRE_FALSE(error);
    Connector connector(reactor, fillers_, limits_);
    for (int i = 0; i < 3; ++i) fillers_.adopt(connector.connect(endpoint()));
    settle(reactor);
  }
  // REQUIRES the reactor to be gone, or the fillers to be ended.
  ~Silence() { sockets().close(socket_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  Endpoint endpoint() const { return sockets().local(socket_); }
  void end(Reactor& reactor) {
    for (Seen& each : fillers_.seen) {
      if (each.connection != nullptr) each.connection->abort();
    }
    until(
        reactor, [&] { return fillers_.closed_count() == fillers_.seen.size(); }, "the fillers");
  }

 private:
  const Limits limits_;
  Recorder fillers_;
  Socket socket_;
};

}  // namespace

CORE_CASE("connector: refused") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  Seen& refused = stage.client.adopt(connector.connect(closed_port(stage.reactor)));
  CHECK(refused.connection->state() == Connection::State::connecting);
  CHECK(refused.closed == 0);
  stage.until([&] { return refused.closed == 1; }, "the refusal");
  CHECK(refused.opened == 0);
  CHECK(refused.reason == CloseReason::connect_failed);
  CHECK(refused.error == std::errc::connection_refused);
  CHECK(stage.count(CloseReason::connect_failed) == 1);
  CHECK(stage.reactor.counters().connected == 0);
}

CORE_CASE("connector: a thousand refusals leave nothing behind") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const Endpoint where = closed_port(stage.reactor);
  for (int i = 0; i < 1000; ++i) {
    stage.client.adopt(connector.connect(where));
    if (i % 50 == 0) stage.reactor.turn(0ms);
  }
  stage.until([&] { return stage.client.closed_count() == 1000; }, "all refusals");
  stage.settle();
  CHECK(stage.reactor.counters().open_connections == 0);
  CHECK(stage.count(CloseReason::connect_failed) == 1000);
}

CORE_CASE("connector: addresses are tried in order until one answers") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const Endpoint closed = closed_port(stage.reactor);
  const Endpoint good = stage.listener->local();
  Seen& third = stage.client.adopt(connector.connect({closed, closed, good}));
  stage.until([&] { return third.opened == 1; }, "the third address");
  CHECK(third.connection->peer() == good);
  Seen& first = stage.client.adopt(connector.connect({good, closed}));
  stage.until([&] { return first.opened == 1; }, "the first address");
  // Each of another family, and one that cannot even be tried.
  const TemporaryPath nobody;
  Seen& mixed = stage.client.adopt(connector.connect(
      {*Endpoint::local(nobody.string()), *Endpoint::from_address("::1", closed.port()), good}));
  stage.until([&] { return mixed.opened == 1; }, "the third family");
  CHECK(stage.reactor.counters().connected == 3);
}

CORE_CASE("connector: when no address answers, the last error is told") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const Endpoint closed = closed_port(stage.reactor);
  const TemporaryPath nobody;
  const Endpoint missing = *Endpoint::local(nobody.string());
  Seen& refused_last = stage.client.adopt(connector.connect({missing, closed}));
  Seen& missing_last = stage.client.adopt(connector.connect({closed, missing}));
  stage.until([&] { return stage.client.closed_count() == 2; }, "both to fail");
  CHECK(refused_last.error == std::errc::connection_refused);
  CHECK(missing_last.error == (has_sockets_by_path() ? std::errc::no_such_file_or_directory
                                                     : std::errc::address_family_not_supported));
}

CORE_CASE("connector: the deadline is for all addresses together, and never early") {
  Recorder client;
  const Limits limits;
  Reactor reactor;
  Silence silence(reactor);
  ConnectOptions options;
  options.deadline = 40ms;
  Connector connector(reactor, client, limits, options);
  const Time begun = reactor.now();
  Seen& late = client.adopt(connector.connect({silence.endpoint(), silence.endpoint()}));
  until(
      reactor, [&] { return late.closed == 1; }, "the deadline");
  CHECK(late.reason == CloseReason::connect_failed);
  CHECK(late.error == std::errc::timed_out);
  CHECK(reactor.now() - begun >= 40ms);
  if (is_simulated) CHECK(reactor.now() - begun <= 41ms);
  silence.end(reactor);
}

CORE_CASE("connector: aborted and closed while nobody answers") {
  Recorder client;
  const Limits limits;
  Reactor reactor;
  Silence silence(reactor);
  Connector connector(reactor, client, limits);
  Seen& aborted = client.adopt(connector.connect(silence.endpoint()));
  Seen& closed = client.adopt(connector.connect(silence.endpoint()));
  reactor.turn(0ms);
  aborted.connection->abort();
  closed.connection->close();
  until(
      reactor, [&] { return client.closed_count() == 2; }, "both to close");
  CHECK(aborted.reason == CloseReason::aborted);
  CHECK(closed.reason == CloseReason::closed_locally);
  silence.end(reactor);
}

CORE_CASE("connector: aborted at any moment of an attempt that goes through several addresses") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const Endpoint closed = closed_port(stage.reactor);
  for (int turns = 0; turns < 12; ++turns) {
    Seen& brief =
        stage.client.adopt(connector.connect({closed, closed, closed, stage.listener->local()}));
    for (int turn = 0; turn < turns && brief.closed == 0; ++turn) stage.reactor.turn(0ms);
    if (brief.connection != nullptr) brief.connection->abort();
    stage.until([&] { return brief.closed == 1; }, "the abort");
    CHECK(brief.reason == CloseReason::aborted);
  }
  stage.settle();
}

CORE_CASE("connector: a connection to itself is refused") {
  Stage stage;
  ConnectOptions options;
  std::error_code error = std::make_error_code(std::errc::address_in_use);
  // Another process may take the port between our finding it and our using it.
  for (int attempt = 0; attempt < 20 && error == std::errc::address_in_use; ++attempt) {
    options.source = closed_port(stage.reactor);
    Connector connector(stage.reactor, stage.client, stage.limits, options);
    Seen& narcissus = stage.client.adopt(connector.connect(options.source));
    stage.until([&] { return narcissus.closed == 1; }, "the refusal");
    CHECK(narcissus.opened == 0);
    CHECK(narcissus.reason == CloseReason::connect_failed);
    error = narcissus.error;
  }
  CHECK(error == std::errc::connection_refused);
}

CORE_CASE("connector: from an address of our choice, or one that is not ours") {
  Stage stage;
  stage.connect_options.source = *Endpoint::from_address("127.0.0.2", 0);
  Pair pair = stage.pair();
  CHECK(pair.server.connection->peer().with_port(0) == stage.connect_options.source);
  CHECK(pair.client.connection->local() == pair.server.connection->peer());
  for (const char* text : {"192.0.2.77", "::1"}) {  // not ours; of another family
    stage.connect_options.source = *Endpoint::from_address(text, 0);
    Seen& foreign = stage.connect();
    CHECK(foreign.closed == 0);
    stage.until([&] { return foreign.closed == 1; }, "the failure");
    CHECK(foreign.reason == CloseReason::connect_failed);
    CHECK(foreign.error);
  }
}

CORE_CASE("connector: numeric hosts need no looking up") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  Seen& numeric =
      stage.client.adopt(connector.connect("127.0.0.1", stage.listener->local().port()));
  stage.until([&] { return numeric.opened == 1; }, "the connection");
  std::error_code error = std::make_error_code(std::errc::io_error);
  CHECK(resolve("::1", 80, error) == std::vector{*Endpoint::from_address("::1", 80)});
  CHECK_FALSE(error);
}

CORE_CASE("connector: names of the simulated network") {
  if (!is_simulated) return;
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const std::uint16_t port = stage.listener->local().port();
  Seen& two = stage.client.adopt(connector.connect("two.sim", port));  // the first one refuses
  Seen& nowhere = stage.client.adopt(connector.connect("nowhere.sim", port));
  Seen& localhost = stage.client.adopt(connector.connect("localhost", port));
  stage.until([&] { return two.opened + localhost.opened == 2 && nowhere.closed == 1; }, "all");
  CHECK(two.connection->peer() == stage.listener->local());
  CHECK(nowhere.reason == CloseReason::connect_failed);
  CHECK(nowhere.error == std::errc::no_such_device_or_address);
}

CORE_CASE("connector: the reactor ends while attempts are under way") {
  Recorder client;
  const Limits limits;
  std::optional<Silence> silence;
  {
    Reactor reactor;
    silence.emplace(reactor);
    Connector connector(reactor, client, limits);
    for (int i = 0; i < 5; ++i) client.adopt(connector.connect(silence->endpoint()));
    reactor.turn(0ms);
    client.adopt(connector.connect(silence->endpoint()));
  }
  CHECK(client.closed_count() == 6);
  for (const Seen& each : client.seen) CHECK(each.reason == CloseReason::aborted);
}
