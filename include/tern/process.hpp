// What a server needs of its process: descriptor limit, signals, processors.
//
//   THREAD  Call at start-up, before other threads exist, unless marked otherwise.
//   Sources: setrlimit(2), sigwait(3), sched_setaffinity(2), stat(2).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tern/export.hpp"
#include "tern/time.hpp"

namespace tern {

struct DescriptorLimit {
  std::uint64_t before = 0;  // what was in force
  std::uint64_t now = 0;     // what is: the hard limit, if the system allowed
};
// Raises the soft limit of open descriptors to the hard one.
TERN_API DescriptorLimit raise_descriptor_limit();

// Processors this process may run on; at least 1. Any thread.
TERN_API unsigned available_processors();

// The processor time of all threads of this process so far, ended ones included. Any thread.
TERN_API Duration processor_time();

// Whether the file's mode lets every user of this machine read it. False where files have no modes,
// as on Windows, whose folders say who may read what is made in them. Any thread.
TERN_API bool is_readable_by_all(const std::string& path);

enum class Signal : std::uint8_t {
  interrupt,  // SIGINT, Ctrl-C
  terminate,  // SIGTERM, a closed console
  hangup,     // SIGHUP: reload
};

// Calls `handler` on a thread of its own for each such signal, from construction to destruction.
// REQUIRES constructed before any other thread of the process, so that all threads inherit the
// blocked signals; at most one at a time. Also makes writes to a closed pipe errors, not signals.
class TERN_API SignalWatcher {
 public:
  explicit SignalWatcher(std::function<void(Signal)> handler);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tern
