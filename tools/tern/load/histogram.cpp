#include "tools/tern/load/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tern::tool {

void Histogram::merge(const Histogram& other) {
  for (std::size_t slot = 0; slot < slot_count; ++slot) slots_[slot] += other.slots_[slot];
  count_ += other.count_;
  overflow_ += other.overflow_;
  minimum_ = std::min(minimum_, other.minimum_);
  maximum_ = std::max(maximum_, other.maximum_);
  sum_ += other.sum_;
}

void Histogram::reset() {
  std::fill(slots_.begin(), slots_.end(), 0);
  count_ = 0;
  overflow_ = 0;
  minimum_ = std::numeric_limits<std::uint64_t>::max();
  maximum_ = 0;
  sum_ = 0;
}

std::uint64_t Histogram::percentile(double percent) const {
  if (count_ == 0) return 0;
  // One step down, or 99.9 % of 1,000 would ask for the 1,000th value: 99.9 is not exact in binary.
  const double asked = std::nextafter(std::clamp(percent, 0.0, 100.0), 0.0);
  const double rank = std::ceil(asked / 100.0 * static_cast<double>(count_));
  const std::uint64_t wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank));
  std::uint64_t seen = 0;
  for (std::size_t slot = slot_of(minimum_); slot < slot_count; ++slot) {
    seen += slots_[slot];
    if (seen >= wanted) return std::min(slot_end(slot), maximum_);
  }
  return maximum_;
}

std::uint64_t Histogram::count_up_to(std::uint64_t value) const {
  const std::size_t last = slot_of(std::min(value, value_max));
  std::uint64_t seen = 0;
  for (std::size_t slot = 0; slot <= last; ++slot) seen += slots_[slot];
  return seen;
}

}  // namespace tern::tool
