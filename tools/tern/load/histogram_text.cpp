#include "tools/tern/load/histogram_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace tern::tool {
namespace {

constexpr double ticks_per_half_distance = 5;

double next_level(double percent) {
  const double halvings = std::floor(std::log2(100 / (100 - percent))) + 1;
  return percent + 100 / (ticks_per_half_distance * std::exp2(halvings));
}

double middle_of(std::size_t slot) {
  const std::uint64_t begin = Histogram::slot_begin(slot);
  return static_cast<double>(begin + (Histogram::slot_end(slot) + 1 - begin) / 2);
}

// The standard deviation of the middles of the slots, as the exact values are gone.
double deviation(const Histogram& histogram) {
  if (histogram.count() == 0) return 0;
  const auto all = static_cast<double>(histogram.count());
  double mean = 0;
  for (std::size_t slot = 0; slot < Histogram::slot_count; ++slot) {
    mean += middle_of(slot) * static_cast<double>(histogram.count_of_slot(slot)) / all;
  }
  double variance = 0;
  for (std::size_t slot = 0; slot < Histogram::slot_count; ++slot) {
    const double distance = middle_of(slot) - mean;
    variance += distance * distance * static_cast<double>(histogram.count_of_slot(slot)) / all;
  }
  return std::sqrt(variance);
}

// A tie away from zero, as the original rounds; {fmt} would choose the even digit.
double rounded(double share) {
  constexpr double scale = 1e12;
  return std::round(share * scale) / scale;
}

std::string row(double value, double percent, std::uint64_t seen) {
  std::string text = fmt::format("{:12.3f} {:2.12f} {:10}", value, rounded(percent / 100), seen);
  if (percent < 100) text += fmt::format(" {:14.2f}", 1 / (1 - percent / 100));
  return text + "\n";
}

}  // namespace

std::string percentile_text(const Histogram& histogram, double unit) {
  std::string text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  const std::uint64_t all = histogram.count();
  std::uint64_t seen = 0;
  double percent = 0;
  for (std::size_t slot = 0; slot < Histogram::slot_count && seen < all; ++slot) {
    const std::uint64_t count = histogram.count_of_slot(slot);
    if (count == 0) continue;
    seen += count;
    const double value = static_cast<double>(Histogram::slot_end(slot)) / unit;
    while (100.0 * static_cast<double>(seen) / static_cast<double>(all) >= percent) {
      text += row(value, percent, seen);
      if (seen == all) break;  // the levels above have the same value: one last row for them
      percent = next_level(percent);
    }
    if (seen == all) text += row(value, 100, seen);
  }
  const auto foot = [&](const char* first, double left, const char* second, double right) {
    fmt::format_to(std::back_inserter(text), "#[{:<7} = {:12.3f}, {:<14} = {:12.3f}]\n", first,
                   left, second, right);
  };
  foot("Mean", histogram.mean() / unit, "StdDeviation", deviation(histogram) / unit);
  fmt::format_to(std::back_inserter(text), "#[Max     = {:12.3f}, Total count    = {:12}]\n",
                 static_cast<double>(histogram.maximum()) / unit, all);
  fmt::format_to(std::back_inserter(text), "#[Buckets = {:12}, SubBuckets     = {:12}]\n",
                 Histogram::value_bits - Histogram::linear_bits + 1,
                 2 * Histogram::slots_per_doubling);
  return text;
}

}  // namespace tern::tool
