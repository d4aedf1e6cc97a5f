// Timers: never early, once for each arm, in any mixture of arming, cancelling and firing.
#include "tern/timer.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "src/core/reactor/timer_wheel.hpp"
#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

namespace {

constexpr Duration day = 24h;

// Turns until `done`; each turn waits as long as the timers let it.
template <class Done>
int turn_until(Reactor& reactor, Done&& done) {
  int turns = 0;
  for (; !done(); ++turns) {
    REQUIRE(turns < 100'000);
    reactor.turn(100 * day);
  }
  return turns;
}

// A number whose logarithm is evenly spread: from nanoseconds to 50 days, each magnitude as often.
Duration any_magnitude(Random& random) {
  const std::size_t bits = random.below(53);  // 2^52 ns are 52 days
  return Duration(static_cast<std::int64_t>(random.next() & ((std::uint64_t{1} << bits) - 1)));
}

// A wheel driven through a time of its own, and beside it what it should hold.
class Model {
 public:
  Model(std::uint64_t seed, std::size_t timers) : random_(seed) {
    for (std::size_t i = 0; i < timers; ++i) {
      timers_.push_back(std::make_unique<ModelTimer>(*this));
    }
    now_ = reactor_.now();
  }

  void step() {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return arm(any(), random_.one_in(50) ? -any_magnitude(random_) : any_magnitude(random_));
      case 4:
      case 5:
        return cancel(any());
      case 6:
        return advance(wheel().earliest());
      default:
        return advance(now_ + any_magnitude(random_) / 1000);
    }
  }

  void fire_all_that_is_left() {
    is_calm_ = true;
    // Waking at the time that the wheel names, it takes one wake for each deadline, and at most one
    // more for each that was cancelled or moved.
    for (std::size_t wakes = 0; !expected_.empty(); ++wakes) {
      REQUIRE(wakes <= timers_.size() + withdrawn_);
      advance(wheel().earliest());
    }
    CHECK(wheel().fire_due(now_ + 100 * day) == 0);
  }

  std::size_t fired() const { return fired_; }

 private:
  struct ModelTimer final : Timer {
    explicit ModelTimer(Model& of_model) : model(of_model) {}
    void fire() override { model.fired(*this); }
    Model& model;
    std::size_t armed_in = 0;  // the number of the advance before which it was armed
  };

  TimerWheel& wheel() { return wheel_of(reactor_); }
  ModelTimer& any() { return *timers_[random_.below(timers_.size())]; }

  void forget(ModelTimer& timer) {
    const auto [first, last] = expected_.equal_range(timer.deadline());
    const auto found =
        std::find_if(first, last, [&](const auto& entry) { return entry.second == &timer; });
    if (timer.armed() != (found != last && timer.armed())) FAIL("an armed timer nobody expects");
    if (timer.armed()) expected_.erase(found);
  }

  void arm(ModelTimer& timer, Duration delay) {
    withdrawn_ += timer.armed() ? 1 : 0;
    forget(timer);
    timer.arm(reactor_, now_ + delay);
    timer.armed_in = advances_;
    expected_.emplace(timer.deadline(), &timer);
    REQUIRE(timer.armed());
    REQUIRE(wheel().earliest() <= timer.deadline());
  }

  void cancel(ModelTimer& timer) {
    withdrawn_ += timer.armed() ? 1 : 0;
    forget(timer);
    timer.cancel();
    REQUIRE_FALSE(timer.armed());
  }

  void advance(Time to) {
    if (to == Time::max()) return;
    now_ = std::max(now_, to);
    ++advances_;
    wheel().fire_due(now_);
    // What was due before has fired; what a callback armed waits for the next time.
    for (auto due = expected_.begin(); due != expected_.end() && due->first <= now_; ++due) {
      REQUIRE(due->second->armed_in == advances_);
    }
    if (!expected_.empty()) REQUIRE(wheel().earliest() <= expected_.begin()->first);
  }

  void fired(ModelTimer& timer) {
    REQUIRE_FALSE(timer.armed());
    REQUIRE(timer.deadline() <= now_);    // never early
    REQUIRE(timer.armed_in < advances_);  // not in the turn that armed it
    const auto [first, last] = expected_.equal_range(timer.deadline());
    const auto found =
        std::find_if(first, last, [&](const auto& entry) { return entry.second == &timer; });
    REQUIRE(found != last);
    expected_.erase(found);
    ++fired_;
    if (is_calm_) return;
    if (random_.one_in(3)) arm(timer, any_magnitude(random_));
    if (random_.one_in(5)) arm(any(), any_magnitude(random_));
    if (random_.one_in(5)) cancel(any());
  }

  Random random_;
  Reactor reactor_;
  std::vector<std::unique_ptr<ModelTimer>> timers_;
  std::multimap<Time, ModelTimer*> expected_;
  Time now_;
  std::size_t advances_ = 0;
  std::size_t fired_ = 0;
  std::size_t withdrawn_ = 0;
  bool is_calm_ = false;
};

}  // namespace

CORE_CASE("timer: from 100 microseconds to 50 days, never early") {
  Reactor reactor;
  std::vector<Duration> delays = {0ns, 1ns, 100us, 101us, 999us, 1ms, 5ms};
  if (is_simulated) {
    for (const Duration delay : {Duration(20ms), Duration(1s), Duration(59s), Duration(1h), day,
                                 25 * day, 49 * day + 17h, 50 * day}) {
      delays.push_back(delay);
      delays.push_back(delay + 1ns);
      delays.push_back(delay - 1ns);
    }
  }
  for (const Duration delay : delays) {
    int fired = 0;
    Time deadline{};
    CallbackTimer timer([&] {
      ++fired;
      CHECK(reactor.now() >= deadline);
      if (is_simulated) CHECK(reactor.now() - deadline <= 100us);
    });
    deadline = reactor.now() + delay;
    timer.arm(reactor, deadline);
    CHECK(timer.armed());
    CHECK(timer.deadline() == deadline);
    const int turns = turn_until(reactor, [&] { return fired == 1; });
    if (is_simulated) CHECK(turns <= 3);
    CHECK_FALSE(timer.armed());
  }
  CHECK(reactor.counters().timers == delays.size());
}

CORE_CASE("timer: fires once for each arm, and moves when it is armed again") {
  Reactor reactor;
  int fired = 0;
  CallbackTimer timer([&] { ++fired; });
  timer.cancel();  // nothing happens
  timer.arm_after(reactor, 1h);
  timer.arm_after(reactor, 1ms);
  turn_until(reactor, [&] { return fired == 1; });
  for (int turn = 0; turn < 5; ++turn) reactor.turn(1ms);
  CHECK(fired == 1);
  timer.arm_after(reactor, 1ms);
  timer.arm_after(reactor, 1h);
  for (int turn = 0; turn < 5; ++turn) reactor.turn(1ms);
  CHECK(fired == 1);
  timer.cancel();
  CHECK_FALSE(timer.armed());
  timer.arm(reactor, reactor.now() - 1h);  // the past is the next turn
  reactor.turn(0ms);
  CHECK(fired == 2);
}

CORE_CASE("timer: the end of time does not come, and is not passed") {
  Reactor reactor;
  int fired = 0;
  CallbackTimer last([&] { ++fired; });
  CallbackTimer beyond([&] { ++fired; });
  last.arm(reactor, Time::max());
  beyond.arm_after(reactor, forever);
  CHECK(beyond.deadline() == Time::max());
  for (int turn = 0; turn < 10; ++turn) reactor.turn(1ms);
  CHECK(fired == 0);
  CHECK(last.armed());
}

CORE_CASE("timer: arming itself again inside its callback waits for a coming turn") {
  Reactor reactor;
  int fired = 0;
  std::unique_ptr<CallbackTimer> timer;
  timer = std::make_unique<CallbackTimer>([&] {
    if (++fired < 10) timer->arm(reactor, reactor.now());
  });
  timer->arm_after(reactor, 0ns);
  for (int turn = 1; turn <= 10; ++turn) {
    reactor.turn(0ms);
    CHECK(fired == turn);
  }
  reactor.turn(0ms);
  CHECK(fired == 10);
}

CORE_CASE("timer: a callback may cancel, move and destroy others that are due") {
  Reactor reactor;
  int fired = 0;
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  const auto end_the_others = [&] {
    ++fired;
    for (std::size_t i = 0; i < timers.size(); ++i) {
      if (timers[i] == nullptr || !timers[i]->armed()) continue;
      if (i % 3 == 0) timers[i]->cancel();
      if (i % 3 == 1) timers[i].reset();
      if (i % 3 == 2) timers[i]->arm_after(reactor, 1h);
    }
  };
  for (int i = 0; i < 30; ++i) {
    timers.push_back(std::make_unique<CallbackTimer>(end_the_others));
    timers.back()->arm(reactor, reactor.now());
  }
  for (int turn = 0; turn < 5; ++turn) reactor.turn(0ms);
  CHECK(fired == 1);
}

CORE_CASE("timer: one that destroys itself") {
  struct Mortal final : Timer {
    explicit Mortal(int& count) : deaths(count) {}
    ~Mortal() override { ++deaths; }
    void fire() override { delete this; }
    int& deaths;
  };
  Reactor reactor;
  int deaths = 0;
  (new Mortal(deaths))->arm_after(reactor, 0ns);
  (new Mortal(deaths))->arm_after(reactor, 0ns);
  reactor.turn(0ms);
  CHECK(deaths == 2);
}

CORE_CASE("timer: destroyed while armed, and longer-lived than its reactor") {
  int fired = 0;
  CallbackTimer survivor([&] { ++fired; });
  {
    Reactor reactor;
    {
      CallbackTimer brief([&] { ++fired; });
      brief.arm_after(reactor, 0ns);
    }
    survivor.arm_after(reactor, 1h);
    reactor.turn(0ms);
    CHECK(fired == 0);
    CHECK(survivor.armed());
  }
  CHECK_FALSE(survivor.armed());
  survivor.cancel();
  Reactor another;
  survivor.arm_after(another, 0ns);
  another.turn(0ms);
  CHECK(fired == 1);
}

CORE_CASE("timer: deadlines that a long turn has missed fire all at once, in their order") {
  Reactor reactor;
  TimerWheel& wheel = wheel_of(reactor);
  const Time now = reactor.now();
  std::vector<Duration> order;
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  for (const Duration delay : {Duration(3s), Duration(2ms), Duration(70s), Duration(1h), day}) {
    timers.push_back(std::make_unique<CallbackTimer>([&order, delay] { order.push_back(delay); }));
    timers.back()->arm(reactor, now + delay);
  }
  CHECK(wheel.fire_due(now + 2h) == 4);
  CHECK(order == std::vector<Duration>{2ms, 3s, 70s, 1h});
  CHECK(wheel.earliest() <= now + day);
  CHECK(wheel.fire_due(now + day - 1ns) == 0);
  CHECK(wheel.fire_due(now + day) == 1);
}

CORE_CASE("timer: a hundred thousand arms, cancels and fires agree with a sorted list") {
  for (const std::size_t timers : {1U, 10U, 1000U}) {
    Model model(test_seed() + timers, timers);
    for (std::size_t step = 0; step < 40'000 * test_scale(); ++step) model.step();
    CHECK(model.fired() > 1000);
    model.fire_all_that_is_left();
  }
}

CORE_CASE("timer: the reactor wakes for deadlines and for nothing else") {
  if (!is_simulated) return;  // counted in virtual time
  Reactor reactor;
  Random random(test_seed());
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  std::size_t fired = 0;
  for (int i = 0; i < 1000; ++i) {
    timers.push_back(std::make_unique<CallbackTimer>([&] {
      if (++fired == 1000) reactor.stop();
    }));
    timers.back()->arm_after(reactor, Duration(static_cast<std::int64_t>(random.below(1U << 30))));
  }
  reactor.run();
  CHECK(fired == 1000);
  CHECK(reactor.counters().waits <= 1002);
  // Ten thousand idle timeouts that nothing fires cost no wake at all.
  const std::uint64_t waits = reactor.counters().waits;
  for (auto& timer : timers) timer->arm_after(reactor, 1h);
  reactor.turn(59min);
  CHECK(reactor.counters().waits == waits + 1);
  CHECK(fired == 1000);
}
