// Histogram: how often each value occurred, in fixed memory and to three significant digits.
//
//   Log-linear, with the bucket maths of HdrHistogram (Gil Tene): values below 2,048 have a slot
//   each; above, every doubling of the value is divided into 1,024 slots of equal width, so that a
//   slot is never wider than 1/1,024 of the values in it.
//
//        value   0 ........ 2047 │ 2048 ......... 4095 │ 4096 ......... 8191 │ ...
//        slots   2,048 of width 1│ 1,024 of width 2    │ 1,024 of width 4    │ ... value_max
//
//   Values are plain numbers; for latencies they are nanoseconds, and the highest is 137 seconds.
//   A value above the highest is counted as the highest, and in overflow().
//
//   OWNERSHIP  A value; 224 KiB on the heap, allocated once.
//   THREAD     One. Each thread fills its own and they are merged at the end.
//   INVARIANTS 1  For any percentile the answer is at least the true one, and above it by less than
//                 one part in 1,024.
//              2  minimum(), maximum(), mean() and count() are exact for values within the range.
//              3  Merging is exact: the same as if all values had been recorded in one histogram.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern::tool {

class Histogram {
 public:
  static constexpr unsigned linear_bits = 11;  // three significant digits need 2 * 10^3 slots
  static constexpr unsigned value_bits = 37;
  static constexpr std::uint64_t value_max = (std::uint64_t{1} << value_bits) - 1;
  static constexpr std::size_t slots_per_doubling = std::size_t{1} << (linear_bits - 1);
  static constexpr std::size_t slot_count = (value_bits - linear_bits + 2) * slots_per_doubling;

  Histogram() : slots_(slot_count) {}

  // Counts `value` `times` times. O(1), no allocation.
  void record(std::uint64_t value, std::uint64_t times = 1) {
    if (value > value_max) [[unlikely]] {
      overflow_ += times;
      value = value_max;
    }
    slots_[slot_of(value)] += times;
    count_ += times;
    // By way of the signed type, whose conversion is one instruction.
    sum_ += static_cast<double>(static_cast<std::int64_t>(value)) *
            static_cast<double>(static_cast<std::int64_t>(times));
    if (value < minimum_) minimum_ = value;
    if (value > maximum_) maximum_ = value;
  }

  void merge(const Histogram& other);
  void reset();

  std::uint64_t count() const { return count_; }
  // How many of them were above value_max.
  std::uint64_t overflow() const { return overflow_; }
  // All 0 when nothing was recorded.
  std::uint64_t minimum() const { return count_ == 0 ? 0 : minimum_; }
  std::uint64_t maximum() const { return maximum_; }
  double mean() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }
  // The smallest value that at least `percent` of the recorded ones do not exceed, rounded up to
  // the end of its slot, but never above maximum(). Below 0 is taken for 0, above 100 for 100.
  std::uint64_t percentile(double percent) const;
  std::uint64_t count_of_slot(std::size_t slot) const { return slots_[slot]; }
  // How many recorded values lie in the slots up to the one of `value`.
  std::uint64_t count_up_to(std::uint64_t value) const;

  // The arithmetic, for tests. REQUIRES value <= value_max, slot < slot_count.
  static constexpr std::size_t slot_of(std::uint64_t value) {
    const unsigned bits = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = bits > linear_bits ? bits - linear_bits : 0;
    return (std::size_t{shift} << (linear_bits - 1)) + static_cast<std::size_t>(value >> shift);
  }
  static constexpr std::uint64_t slot_begin(std::size_t slot) {
    if (slot < 2 * slots_per_doubling) return slot;
    const std::size_t shift = slot / slots_per_doubling - 1;
    return static_cast<std::uint64_t>(slot - shift * slots_per_doubling) << shift;
  }
  // The last value of the slot.
  static constexpr std::uint64_t slot_end(std::size_t slot) {
    const std::size_t shift = slot < 2 * slots_per_doubling ? 0 : slot / slots_per_doubling - 1;
    return slot_begin(slot) + (std::uint64_t{1} << shift) - 1;
  }

 private:
  std::vector<std::uint64_t> slots_;
  std::uint64_t count_ = 0;
  std::uint64_t overflow_ = 0;
  std::uint64_t minimum_ = ~std::uint64_t{0};
  std::uint64_t maximum_ = 0;
  // A double: a sum of nanoseconds outgrows 64 bits, and the mean is shown with four digits.
  double sum_ = 0;
};

}  // namespace tern::tool
