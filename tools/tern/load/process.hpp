// ServerProcess: the processor time and memory of another process, where the system shows them as
// files in /proc (Linux). Elsewhere nothing is known, and exists() is false.
//
//   Sources: proc(5); Documentation/scheduler/sched-stats.rst of the Linux kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern::tool {

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
// to 50 us to save wakes. Nothing happens where the system has no such setting.
void sharpen_timers();

// What of the machine a reader of a result must know. "unknown" where the system does not say.
struct LoadEnvironment {
  std::string kernel;
  std::string cpu_model;
  unsigned cpus = 0;         // that this process may run on
  std::string cpus_allowed;  // which ones, such as "0-3,6"
  std::string governor;      // of the processors' clock
  std::string compiler;
  std::string commit;  // that this program was built from
  std::uint64_t descriptors_max = 0;
};
LoadEnvironment load_environment();

}  // namespace tern::tool
