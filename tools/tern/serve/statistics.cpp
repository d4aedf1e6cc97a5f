#include "tools/tern/serve/statistics.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string_view>

namespace tern::tool {
namespace {

struct Row {
  std::string_view name;
  std::uint64_t Counters::*member;
};

constexpr std::array<Row, 19> rows{{{"turns", &Counters::turns},
                                    {"waits", &Counters::waits},
                                    {"empty_waits", &Counters::empty_waits},
                                    {"wakes", &Counters::wakes},
                                    {"completions", &Counters::completions},
                                    {"receive_calls", &Counters::receive_calls},
                                    {"send_calls", &Counters::send_calls},
                                    {"would_blocks", &Counters::would_blocks},
                                    {"received_bytes", &Counters::received_bytes},
                                    {"sent_bytes", &Counters::sent_bytes},
                                    {"received_datagrams", &Counters::received_datagrams},
                                    {"sent_datagrams", &Counters::sent_datagrams},
                                    {"tasks", &Counters::tasks},
                                    {"timers", &Counters::timers},
                                    {"accepted", &Counters::accepted},
                                    {"refused", &Counters::refused},
                                    {"handshakes", &Counters::handshakes},
                                    {"resumptions", &Counters::resumptions},
                                    {"receive_pauses", &Counters::receive_pauses}}};

// Small rates keep a decimal, so that one event in five seconds does not vanish.
std::string rate_text(std::uint64_t difference, double seconds) {
  if (difference == 0) return "0";
  const double rate = static_cast<double>(difference) / seconds;
  return rate < 100 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

}  // namespace

Counters total(const std::vector<Counters>& reactors) {
  Counters sum;
  for (const Counters& counters : reactors) sum += counters;
  return sum;
}

void for_each_counter(const Counters& counters,
                      const std::function<void(std::string_view name, std::uint64_t value)>& call) {
  for (const Row& row : rows) call(row.name, counters.*row.member);
}

std::string statistics_line(const Counters& before, const Counters& after, Duration interval,
                            const std::vector<std::size_t>& connections) {
  const double seconds = std::chrono::duration<double>(interval).count();
  std::string line =
      fmt::format("stats interval={:.2f}s connections={}", seconds, fmt::join(connections, "+"));
  for (const Row& row : rows) {
    line +=
        fmt::format(" {}={}", row.name, rate_text(after.*row.member - before.*row.member, seconds));
  }
  for (std::size_t i = 0; i < close_reason_count; ++i) {
    const std::uint64_t difference = after.closed[i] - before.closed[i];
    if (difference == 0) continue;
    line += fmt::format(" closed.{}={}", to_string(static_cast<CloseReason>(i)),
                        rate_text(difference, seconds));
  }
  return line;
}

}  // namespace tern::tool
