// A listener where the system has no room for another connection: it rests, and goes on.
#include <vector>

#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

// Counts what its connections come to.
struct Counting final : Protocol {
  void opened(Connection& connection) override {
    ++opened_count;
    last = &connection;
  }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    connection.send(bytes);
  }
  void closed(Connection&, CloseReason reason, const std::error_code&) override {
    ++closed_count;
    last_reason = reason;
  }
  int opened_count = 0;
  int closed_count = 0;
  CloseReason last_reason = CloseReason::error;
  Connection* last = nullptr;
};

struct Scene {
  explicit Scene(const ListenerOptions& options = {})
      : listener(reactor, loopback(), server, limits, options) {}

  Connection& connect() { return Connector(reactor, client, limits).connect(listener.local()); }
  template <class Done>
  void until(Done&& done, const char* what) {
    for (int turns = 0; !done(); ++turns) {
      EXPECT_NOTE(turns < 100'000, std::string("waited in vain for ") + what);
      reactor.turn(10ms);
    }
  }
  void pass(Duration duration) {
    for (const Time end = reactor.now() + duration; reactor.now() < end;) {
      reactor.turn(end - reactor.now());
    }
  }

  const Limits limits;
  Counting server;
  Counting client;
  Reactor reactor;
  Listener listener;
};

}  // namespace

SIMULATION_CASE(a_listener_without_descriptors_rests_and_recovers) {
  Network network(run.seed());
  std::vector<Time> told;
  Scene* of_it = nullptr;
  ListenerOptions options;
  options.retry_delay = 50ms;
  options.accept_failed = [&](const std::error_code& error) {
    EXPECT_EQUAL(error, std::make_error_code(std::errc::too_many_files_open));
    told.push_back(of_it->reactor.now());
  };
  Scene scene(options);
  of_it = &scene;
  network.faults().sockets_max = network.open_sockets() + 3;  // the clients' own
  for (int i = 0; i < 3; ++i) scene.connect();
  scene.pass(1s);
  CHECK(scene.client.opened_count == 3);  // the kernel has answered
  CHECK(scene.server.opened_count == 0);
  CHECK(told.size() >= 15);
  CHECK(told.size() <= 21);
  for (std::size_t i = 1; i < told.size(); ++i) CHECK(told[i] - told[i - 1] >= 50ms);
  CHECK(scene.reactor.counters().refused == told.size());
  // It rests: a try each 50 ms, and no spinning between.
  CHECK(scene.reactor.counters().waits <= 150);

  network.faults().sockets_max = SIZE_MAX;
  scene.until([&] { return scene.server.opened_count == 3; }, "all three");
  const std::uint64_t refused = scene.reactor.counters().refused;
  scene.connect();
  scene.until([&] { return scene.server.opened_count == 4; }, "the fourth, without a rest");
  CHECK(scene.reactor.counters().refused == refused);
}

SIMULATION_CASE(one_leaves_and_the_next_is_served) {
  Network network(run.seed());
  Scene scene;
  network.faults().sockets_max = network.open_sockets() + 3;
  scene.connect();
  scene.connect();
  scene.until([&] { return scene.server.opened_count == 1; }, "the first");
  scene.pass(500ms);
  CHECK(scene.server.opened_count == 1);
  scene.server.last->abort();
  scene.until([&] { return scene.server.opened_count == 2; }, "the second");
}

SIMULATION_CASE(closed_while_resting) {
  Network network(run.seed());
  {
    Scene scene;
    network.faults().sockets_max = network.open_sockets() + 1;
    scene.connect();
    scene.until([&] { return scene.reactor.counters().refused > 0; }, "the rest to begin");
    scene.listener.close();
    scene.until([&] { return scene.client.closed_count == 1; }, "the client to hear of it");
    scene.pass(1s);
    CHECK(scene.server.opened_count == 0);
  }
  CHECK(network.open_sockets() == 0);
}

SIMULATION_CASE(every_kind_of_failing_accept_is_survived) {
  Faults faults;
  faults.accept_error = 0.5;
  Network network(run.seed(), faults);
  {
    ListenerOptions options;
    options.retry_delay = 2ms;
    Scene scene(options);
    for (int i = 0; i < 200; ++i) scene.connect();
    // Some vanish before they are accepted; everybody else is served.
    scene.until([&] { return scene.server.opened_count + scene.client.closed_count >= 200; },
                "all two hundred");
    CHECK(scene.reactor.counters().accepted ==
          static_cast<std::uint64_t>(scene.server.opened_count));
    CHECK(scene.reactor.counters().refused > 0);
    CHECK(scene.server.opened_count > 100);
  }
  CHECK(network.open_sockets() == 0);
}

// No memory for another watch: the client is turned away, and the limit counts it no more.
SIMULATION_CASE(an_accepted_socket_that_cannot_be_attached_is_refused) {
  Network network(run.seed());
  {
    ListenerOptions options;
    options.connections_max = 2;
    Scene scene(options);
    scene.connect();
    scene.connect();
    network.faults().attach_error = 1;  // the clients are attached already
    scene.until([&] { return scene.reactor.counters().refused == 2; }, "the refusals");
    network.faults().attach_error = 0;
    scene.until([&] { return scene.client.closed_count == 2; }, "the clients to hear of it");
    CHECK(scene.server.closed_count == 0);
    CHECK(scene.reactor.counters().accepted == 0);
    scene.connect();
    scene.connect();
    scene.until([&] { return scene.server.opened_count == 2; }, "those who come later");
  }
  CHECK(network.open_sockets() == 0);
}

// Nor can a client be attached: the attempt fails like any other.
SIMULATION_CASE(a_connector_without_memory_fails_by_closed) {
  Network network(run.seed());
  {
    Scene scene;
    network.faults().attach_error = 1;
    scene.connect();
    CHECK(scene.client.closed_count == 0);
    scene.until([&] { return scene.client.closed_count == 1; }, "the failure");
    CHECK(scene.client.last_reason == CloseReason::connect_failed);
    network.faults().attach_error = 0;
    network.faults().sockets_max = network.open_sockets();
    scene.connect();
    scene.until([&] { return scene.client.closed_count == 2; }, "the failure");
    CHECK(scene.client.last_reason == CloseReason::connect_failed);
  }
  CHECK(network.open_sockets() == 0);
}

}  // namespace tern::test
