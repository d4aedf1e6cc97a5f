#include "backends/system/proc_stats.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace tern::system {
namespace {

// USER_HZ, which every Linux since 2.6 shows to programs as 100.
constexpr double ticks_per_second = 100.0;

// The value of the line `name : value`, without the blanks around it.
std::string line_value(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

bool ServerProcess::exists() const {
  std::error_code ignored;  // a process that cannot be looked at is none
  return std::filesystem::is_directory(directory_, ignored);
}

std::optional<double> ServerProcess::cpu_s() const {
  const auto exact = cpu_of_threads_s();
  return exact ? exact : cpu_by_ticks_s();
}

std::optional<double> ServerProcess::cpu_of_threads_s() const {
  std::error_code error;
  std::filesystem::directory_iterator threads(directory_ + "/task", error);
  if (error) return std::nullopt;
  double sum_s = 0;
  bool known = false;
  for (; threads != std::filesystem::directory_iterator(); threads.increment(error)) {
    std::ifstream file(threads->path() / "schedstat");
    // A thread that ended between the listing and the opening is skipped.
    if (double nanoseconds = 0; file >> nanoseconds) {
      sum_s += nanoseconds / 1e9;
      known = true;
    }
    if (error) return std::nullopt;
  }
  return known ? std::optional(sum_s) : std::nullopt;
}

std::optional<double> ServerProcess::cpu_by_ticks_s() const {
  std::ifstream file(directory_ + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // The program's name, in parentheses, may hold blanks and parentheses; the numbers come after it.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return (user + system) / ticks_per_second;
}

std::string ServerProcess::processors() const {
  return line_value(directory_ + "/status", "Cpus_allowed_list");
}

std::optional<std::uint64_t> ServerProcess::context_switches() const {
  std::error_code error;
  std::filesystem::directory_iterator threads(directory_ + "/task", error);
  if (error) return std::nullopt;
  std::uint64_t sum = 0;
  bool known = false;
  for (; threads != std::filesystem::directory_iterator(); threads.increment(error)) {
    const std::string path = (threads->path() / "status").string();
    for (const char* name : {"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"}) {
      std::istringstream value(line_value(path, name));
      if (std::uint64_t switches = 0; value >> switches) {
        sum += switches;
        known = true;
      }
    }
    if (error) return std::nullopt;
  }
  return known ? std::optional(sum) : std::nullopt;
}

std::optional<std::uint64_t> ServerProcess::resident_bytes() const {
  std::istringstream value(line_value(directory_ + "/status", "VmRSS"));
  std::uint64_t kibibytes = 0;
  if (!(value >> kibibytes)) return std::nullopt;
  return kibibytes * 1024;
}

void sharpen_timers() {
  // Of the thread that writes, and inherited by those it starts.
  std::ofstream("/proc/self/timerslack_ns") << "1";
}

Machine this_machine() {
  return {
      .kernel = first_line("/proc/sys/kernel/osrelease"),
      .cpu_model = line_value("/proc/cpuinfo", "model name"),
      .cpus_allowed = line_value("/proc/self/status", "Cpus_allowed_list"),
      .governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
  };
}

std::optional<int> backlog_max(const std::string& root) {
  std::istringstream value(first_line(root + "/sys/net/core/somaxconn"));
  int most = 0;
  if (!(value >> most)) return std::nullopt;
  return most;
}

}  // namespace tern::system
