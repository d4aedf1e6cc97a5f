// include/tern/process.hpp on Windows.
//
// Sources: Microsoft's reference of SetConsoleCtrlHandler and HandlerRoutine, GetProcessTimes.
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "tern/process.hpp"

namespace tern {

// A process has as many handles as it has memory for, so there is nothing to raise.
DescriptorLimit raise_descriptor_limit() {
  constexpr std::uint64_t handles_max = 16'777'216;
  return {handles_max, handles_max};
}

unsigned available_processors() { return std::max(1U, std::thread::hardware_concurrency()); }

// Not std::clock(), which is the time of the wall here.
Duration processor_time() {
  FILETIME created{};
  FILETIME ended{};
  FILETIME kernel{};
  FILETIME user{};
  ::GetProcessTimes(::GetCurrentProcess(), &created, &ended, &kernel, &user);
  const auto ticks = [](const FILETIME& time) {
    return (static_cast<std::int64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime;
  };
  return Duration(100 * (ticks(kernel) + ticks(user)));
}

bool is_readable_by_all(const std::string&) { return false; }

// The console calls on a thread that it makes for each event; the handler wants one thread of its
// own, so events go through a queue.
struct SignalWatcher::State {
  std::function<void(Signal)> handler;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Signal> events;
  bool ending = false;
  std::thread thread;

  void tell(Signal signal) {
    const std::lock_guard lock(mutex);
    events.push_back(signal);
    changed.notify_all();
  }

  void watch() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ending || !events.empty(); });
      if (ending) return;
      const Signal signal = events.front();
      events.erase(events.begin());
      lock.unlock();
      handler(signal);
      lock.lock();
    }
  }
};

namespace {

// The console hands its handlers no argument. The mutex keeps the watcher alive while it is told.
std::mutex told_mutex;
std::function<void(Signal)> told;

bool tell(Signal signal) {
  const std::lock_guard lock(told_mutex);
  if (told) told(signal);
  return static_cast<bool>(told);
}

BOOL WINAPI on_console_event(DWORD event) {
  switch (event) {
    case CTRL_C_EVENT:
      return tell(Signal::interrupt) ? TRUE : FALSE;
    case CTRL_BREAK_EVENT:
      return tell(Signal::terminate) ? TRUE : FALSE;
    case CTRL_CLOSE_EVENT:
    case CTRL_LOGOFF_EVENT:
    case CTRL_SHUTDOWN_EVENT:
      if (!tell(Signal::terminate)) return FALSE;
      // Returning would end the process at once. It ends by itself when it has drained, and the
      // system ends it after some seconds if it has not.
      ::Sleep(INFINITE);
      return TRUE;
    default:
      return FALSE;
  }
}

}  // namespace

SignalWatcher::SignalWatcher(std::function<void(Signal)> handler)
    : state_(std::make_unique<State>()) {
  state_->handler = std::move(handler);
  {
    const std::lock_guard lock(told_mutex);
    told = [state = state_.get()](Signal signal) { state->tell(signal); };
  }
  if (::SetConsoleCtrlHandler(on_console_event, TRUE) == 0) {
    const auto error = static_cast<int>(::GetLastError());
    const std::lock_guard lock(told_mutex);
    told = nullptr;
    throw std::system_error(error, std::system_category(), "cannot watch console events");
  }
  state_->thread = std::thread([state = state_.get()] { state->watch(); });
}

SignalWatcher::~SignalWatcher() {
  ::SetConsoleCtrlHandler(on_console_event, FALSE);
  {
    const std::lock_guard lock(told_mutex);
    told = nullptr;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
}

}  // namespace tern
