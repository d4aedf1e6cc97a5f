// The loop itself: what a turn, a posted task and a timer cost before any byte moves.
#include <thread>

#include "bench/micro/micro.hpp"

namespace tern::micro {
namespace {

void turn_without_work(benchmark::State& state) {
  Reactor reactor;
  for (auto _ : state) reactor.turn(Duration::zero());
}

void post_to_itself(benchmark::State& state) {
  Reactor reactor;
  std::size_t ran = 0;
  reactor.turn(Duration::zero());  // from here on the reactor knows its thread
  for (auto _ : state) {
    for (int i = 0; i < 64; ++i) reactor.post([&ran] { ++ran; });
    reactor.turn(Duration::zero());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(ran));
}

// A task to another thread and its answer: two wakes.
void post_there_and_back(benchmark::State& state) {
  Reactor here;
  Reactor there;
  std::thread thread([&there] { there.run(); });
  for (auto _ : state) {
    bool answered = false;
    there.post([&] { here.post([&] { answered = true; }); });
    while (!answered) here.turn(forever);
  }
  there.stop();
  thread.join();
}

void timer_set_and_cancel(benchmark::State& state) {
  Reactor reactor;
  CallbackTimer timer([] {});
  std::int64_t delay_ns = 1;
  for (auto _ : state) {
    timer.arm_after(reactor, Duration(delay_ns));
    timer.cancel();
    delay_ns = delay_ns * 5 % 60'000'000'011;  // from nanoseconds to a minute: all levels
  }
}

// Setting one of 10,000 anew, as a busy server does.
void timer_move_among_10000(benchmark::State& state) {
  Reactor reactor;
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  for (int i = 0; i < 10'000; ++i) {
    timers.push_back(std::make_unique<CallbackTimer>([] {}));
    timers.back()->arm_after(reactor, std::chrono::seconds(30) + std::chrono::microseconds(i));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    timers[next]->arm_after(reactor, std::chrono::seconds(30) + std::chrono::microseconds(next));
    next = (next + 7919) % timers.size();
  }
}

void timer_fire(benchmark::State& state) {
  Reactor reactor;
  std::size_t fired = 0;
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  for (int i = 0; i < 64; ++i) timers.push_back(std::make_unique<CallbackTimer>([&] { ++fired; }));
  for (auto _ : state) {
    for (auto& timer : timers) timer->arm(reactor, reactor.now());
    reactor.turn(Duration::zero());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(fired));
}

[[maybe_unused]] const bool added = [] {
  add("reactor/turn_without_work", turn_without_work);
  add("reactor/post_to_itself", post_to_itself);
  add("reactor/post_there_and_back", post_there_and_back);
  add("timer/set_and_cancel", timer_set_and_cancel);
  add("timer/move_among_10000", timer_move_among_10000);
  add("timer/fire", timer_fire);
  return true;
}();

}  // namespace
}  // namespace tern::micro
