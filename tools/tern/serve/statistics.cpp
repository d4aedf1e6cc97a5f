#include "tools/tern/serve/statistics.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string_view>

namespace tern::tool {
namespace {

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

std::string statistics_line(const Counters& before, const Counters& after, Duration interval,
                            const std::vector<std::size_t>& connections) {
  const double seconds = std::chrono::duration<double>(interval).count();
  std::string line =
      fmt::format("stats interval={:.2f}s connections={}", seconds, fmt::join(connections, "+"));
  for (const CounterInfo& row : counter_table) {
    if (row.member == &Counters::open_connections) continue;  // above, for each reactor
    const std::uint64_t value = after.*row.member;
    line += fmt::format(" {}={}", row.name,
                        row.kind == CounterKind::gauge
                            ? std::to_string(value)
                            : rate_text(value - before.*row.member, seconds));
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
