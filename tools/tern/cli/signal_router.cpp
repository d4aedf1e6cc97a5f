#include "tools/tern/cli/signal_router.hpp"

#include <cstdlib>
#include <utility>

#include "backends/system/console.hpp"
#include "tools/tern/cli/log.hpp"

namespace tern::tool {
namespace {

// The numbers are the same on every POSIX system; elsewhere they are a convention of shells.
int signal_number(Signal signal) {
  switch (signal) {
    case Signal::interrupt:
      return 2;
    case Signal::terminate:
      return 15;
    case Signal::hangup:
      return 1;
  }
  return 15;
}

}  // namespace

SignalRouter::SignalRouter()
    : ignores_hangup_(system::ignores_hangup()),
      watcher_([this](Signal signal) { signalled(signal); }) {}

void SignalRouter::set(Handler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void SignalRouter::clear() {
  const std::lock_guard lock(mutex_);
  handler_ = nullptr;
  reload_ = nullptr;
}

void SignalRouter::on_hangup(std::function<void()> reload) {
  const std::lock_guard lock(mutex_);
  reload_ = std::move(reload);
}

void SignalRouter::signalled(Signal signal) {
  const std::lock_guard lock(mutex_);
  if (signal == Signal::hangup && reload_ != nullptr) return reload_();
  if (signal == Signal::hangup && ignores_hangup_) return;
  if (handler_ == nullptr || std::exchange(seen_, true)) {
    log(LogLevel::debug, "ending at once on signal {}", signal_number(signal));
    system::TerminalInput::restore();
    std::_Exit(128 + signal_number(signal));
  }
  handler_(signal);
}

}  // namespace tern::tool
