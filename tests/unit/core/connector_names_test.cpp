// Names of the real world: looked up on other threads while the loop goes on. Only on kernels, for
// the simulated network knows its names at once.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "src/core/address/resolver.hpp"
#include "tests/support/stage.hpp"

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

// With all helper threads held up, questions pile up that nobody wants any more.
TEST_CASE("connector names: what nobody waits for is not asked") {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    unsigned held = 0;
    bool open = false;
  };
  class Asked final : public Question {
   public:
    Asked(std::shared_ptr<Gate> gate, bool wanted) : gate_(std::move(gate)), wanted_(wanted) {}
    void answer(std::vector<Endpoint>, const std::error_code&) override {
      std::unique_lock lock(gate_->mutex);
      ++gate_->held;
      gate_->changed.notify_all();
      gate_->changed.wait(lock, [&] { return gate_->open; });
      answered = true;
    }
    bool is_wanted() override { return wanted_; }

    std::atomic<bool> answered{false};

   private:
    std::shared_ptr<Gate> gate_;
    bool wanted_;
  };
  const auto gate = std::make_shared<Gate>();
  const auto ask = [&](bool wanted) {
    const auto asked = std::make_shared<Asked>(gate, wanted);
    std::error_code error;
    resolve_elsewhere("localhost", 1, asked, error);
    CHECK_FALSE(error);
    return asked;
  };
  for (int i = 0; i < 4; ++i) ask(true);
  {
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->held == 4; });
  }
  std::vector<std::weak_ptr<Asked>> unwanted;
  for (int i = 0; i < 100; ++i) unwanted.push_back(ask(false));
  const auto wanted = ask(true);
  for (const auto& each : unwanted) CHECK(each.expired());  // no longer queued
  const auto last = ask(false);                             // still queued, and passed over
  const auto after = ask(true);
  {
    const std::scoped_lock lock(gate->mutex);
    gate->open = true;
    gate->changed.notify_all();
  }
  while (!wanted->answered || !after->answered) std::this_thread::yield();
  CHECK_FALSE(last->answered);
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
