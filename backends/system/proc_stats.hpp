// What a system tells of processes and of itself in files: Linux, in /proc and /sys. Elsewhere
// there are none, nothing is known, and nothing happens.
//
//   THREAD   any.
//   SOURCES  proc(5); proc_pid_timerslack_ns(5); listen(2);
//            Documentation/scheduler/sched-stats.rst of the Linux kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern::system {

// The processor time and memory of another process.
class ServerProcess {
 public:
  // `root` is /proc, or a copy of it in tests.
  explicit ServerProcess(std::uint64_t pid, const std::string& root = "/proc")
      : directory_(root + "/" + std::to_string(pid)) {}

  bool exists() const;
  // Of all threads that now live, since they began. From schedstat in nanoseconds; where the kernel
  // lacks it, from stat in ticks of 10 ms.
  std::optional<double> cpu_s() const;
  std::optional<std::uint64_t> resident_bytes() const;
  // The processors it may run on, such as "0-3,6"; empty where that is not known.
  std::string processors() const;
  // How often its threads that now live were switched out, asked for or not.
  std::optional<std::uint64_t> context_switches() const;

 private:
  std::optional<double> cpu_of_threads_s() const;
  std::optional<double> cpu_by_ticks_s() const;

  std::string directory_;
};

// Lets timers of threads that begin after this call fire when they are due; Linux otherwise adds up
// to 50 us to save wakes.
void sharpen_timers();

// What the machine is, for those who compare figures. Empty where the system does not say.
struct Machine {
  std::string kernel;
  std::string cpu_model;
  std::string cpus_allowed;  // that this process may run on, such as "0-3,6"
  std::string governor;      // of the processors' clock
};
Machine this_machine();

// How many connections a listener may have waiting, whatever it asks for: the kernel shortens the
// queue without a word.
std::optional<int> backlog_max(const std::string& root = "/proc");

}  // namespace tern::system
