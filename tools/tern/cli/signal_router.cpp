#include "tools/tern/cli/signal_router.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "backends/system/console.hpp"
#include "tools/tern/cli/log.hpp"

namespace tern::tool {
namespace {

struct SignalText {
  std::string_view name = {};
  int number = 0;  // the same on every POSIX system; elsewhere a convention of shells
};

// Nothing for what is no signal.
constexpr SignalText text_of(Signal signal) {
  switch (signal) {
    case Signal::interrupt:
      return {"SIGINT", 2};
    case Signal::terminate:
      return {"SIGTERM", 15};
    case Signal::hangup:
      return {"SIGHUP", 1};
  }
  return {};
}

int exit_code_of(Signal signal) { return 128 + text_of(signal).number; }

}  // namespace

std::vector<EndingSignal> ending_signals() {
  std::vector<EndingSignal> signals;
  for (int i = 0; !text_of(static_cast<Signal>(i)).name.empty(); ++i) {
    const auto signal = static_cast<Signal>(i);
    signals.push_back({text_of(signal).name, exit_code_of(signal)});
  }
  std::sort(signals.begin(), signals.end(),
            [](const auto& a, const auto& b) { return a.exit_code < b.exit_code; });
  return signals;
}

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
    log(LogLevel::debug, "ending at once on signal {}", text_of(signal).number);
    system::TerminalInput::restore();
    std::_Exit(exit_code_of(signal));
  }
  handler_(signal);
}

}  // namespace tern::tool
