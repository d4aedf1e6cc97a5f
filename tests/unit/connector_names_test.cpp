// Names of the real world: looked up on other threads while the loop goes on. Only on kernels, for
// the simulated network knows its names at once.
#include "tests/unit/stage.hpp"

using namespace tern;
using namespace tern::test;

TEST_CASE("connector names: localhost, each of its addresses in turn") {
  Stage stage;  // IPv4 only, so that ::1 may have to be tried in vain first
  Connector connector(stage.reactor, stage.client, stage.limits);
  Seen& named = stage.client.adopt(connector.connect("localhost", stage.listener->local().port()));
  CHECK(named.connection->state() == Connection::State::connecting);
  stage.until([&] { return named.opened == 1; }, "the connection");
  CHECK(named.connection->peer() == stage.listener->local());
  std::error_code error;
  CHECK_FALSE(resolve("localhost", 1, error).empty());
  CHECK_FALSE(error);
}

TEST_CASE("connector names: a name that cannot be one") {
  Stage stage;
  Connector connector(stage.reactor, stage.client, stage.limits);
  const std::string impossible(300, 'x');  // longer than the DNS allows: nobody need be asked
  Seen& unknown = stage.client.adopt(connector.connect(impossible, 1));
  stage.until([&] { return unknown.closed == 1; }, "the failure");
  CHECK(unknown.reason == CloseReason::connect_failed);
  CHECK(unknown.error);
  CHECK_FALSE(unknown.error.message().empty());
  std::error_code error;
  CHECK(resolve(impossible, 1, error).empty());
  CHECK(error);
}

TEST_CASE("connector names: aborted while looking up, by the protocol and by the reactor's end") {
  const Limits limits;
  Recorder client;
  for (int round = 0; round < 20; ++round) {
    Reactor reactor;
    Connector connector(reactor, client, limits);
    Seen& aborted = client.adopt(connector.connect("localhost", 1));
    Seen& closed = client.adopt(connector.connect("localhost", 1));
    client.adopt(connector.connect("localhost", 1));  // ends with the reactor
    aborted.connection->abort();
    closed.connection->close();
    if (round % 2 == 0) {
      until(
          reactor, [&] { return aborted.closed + closed.closed == 2; }, "both to close");
      CHECK(aborted.reason == CloseReason::aborted);
      CHECK(closed.reason == CloseReason::closed_locally);
    }
  }
  CHECK(client.closed_count() == 60);
}

TEST_CASE("connector names: the deadline counts while looking up") {
  Stage stage;
  stage.connect_options.deadline = 0ns;
  Connector connector(stage.reactor, stage.client, stage.limits, stage.connect_options);
  Seen& late = stage.client.adopt(connector.connect("localhost", stage.listener->local().port()));
  stage.until([&] { return late.closed == 1; }, "the deadline");
  CHECK(late.reason == CloseReason::connect_failed);
  CHECK(late.error == std::errc::timed_out);
}
