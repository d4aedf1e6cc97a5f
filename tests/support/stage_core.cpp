// The core under a Stage, compiled once for each: what tests need of the inside of a reactor.
#include "src/core/reactor/reactor_core.hpp"
#include "tests/support/backend_of.hpp"
#include "tests/support/stage.hpp"

namespace tern::test {

const Backend& core_backend() { return backend_of<Poller>(); }

bool sends_later(Reactor& reactor) { return reactor.core().poller.sends_later(); }

TimerWheel& wheel_of(Reactor& reactor) { return reactor.core().wheel; }

}  // namespace tern::test
