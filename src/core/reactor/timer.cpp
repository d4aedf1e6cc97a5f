#include "tern/timer.hpp"

#include "src/core/reactor/reactor_core.hpp"

namespace tern {

Timer::~Timer() { cancel(); }

void Timer::arm(Reactor& reactor, Time deadline) {
  cancel();
  deadline_ = deadline;
  reactor.core().wheel.insert(*this);
}

void Timer::arm_after(Reactor& reactor, Duration delay) {
  const Time now = reactor.now();
  // A delay beyond the end of time is the end of time.
  arm(reactor, delay > Time::max() - now ? Time::max() : now + delay);
}

void Timer::cancel() { TimerWheel::remove(*this); }

}  // namespace tern
