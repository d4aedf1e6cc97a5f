// include/tern/process.hpp on POSIX systems.
//
// Sources: getrlimit(2), sigwait(3), pthread_sigmask(3), sched_getaffinity(2), stat(2),
// clock_gettime(2).
#include "tern/process.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

namespace tern {

DescriptorLimit raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  DescriptorLimit result{limit.rlim_cur, limit.rlim_cur};
  if (limit.rlim_cur == limit.rlim_max) return result;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) {
    result.now = limit.rlim_cur;
    return result;
  }
  // macOS calls the limit infinite and takes no more than one that it does not name: search for it.
  rlim_t refused = std::min<rlim_t>(limit.rlim_max, 1 << 20);
  for (rlim_t taken = result.before; taken + 1 < refused;) {
    limit.rlim_cur = taken + (refused - taken) / 2;
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) {
      result.now = taken = limit.rlim_cur;
    } else {
      refused = limit.rlim_cur;
    }
  }
  return result;
}

bool is_readable_by_all(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

unsigned available_processors() {
  // On Linux the C++ library asks sched_getaffinity, so that a pinned process counts its own.
  return std::max(1U, std::thread::hardware_concurrency());
}

Duration processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

struct SignalWatcher::State {
  std::function<void(Signal)> handler;
  sigset_t watched{};
  sigset_t before{};
  std::atomic<bool> ending{false};
  std::thread thread;
};

SignalWatcher::SignalWatcher(std::function<void(Signal)> handler)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.handler = std::move(handler);
  // Without a scope: macOS has macros of these names.
  sigemptyset(&state.watched);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&state.watched, number);
  const int error = ::pthread_sigmask(SIG_BLOCK, &state.watched, &state.before);
  if (error != 0) throw std::system_error(error, std::system_category(), "cannot block signals");
  // A write to a pipe or socket that nobody reads shall be an error, not the end of the process.
  (void)::signal(SIGPIPE, SIG_IGN);
  state.thread = std::thread([&state] {
    int number = 0;
    while (::sigwait(&state.watched, &number) == 0 && !state.ending.load()) {
      switch (number) {
        case SIGINT:
          state.handler(Signal::interrupt);
          break;
        case SIGHUP:
          state.handler(Signal::hangup);
          break;
        default:
          state.handler(Signal::terminate);
          break;
      }
    }
  });
}

SignalWatcher::~SignalWatcher() {
  state_->ending.store(true);
  // Aimed at the watching thread only: it wakes, sees that it is to end, and nobody else hears.
  ::pthread_kill(state_->thread.native_handle(), SIGHUP);
  state_->thread.join();
  (void)::pthread_sigmask(SIG_SETMASK, &state_->before, nullptr);
}

}  // namespace tern
