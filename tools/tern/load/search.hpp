// RateSearch: which rate to try next to find the highest at which a condition holds.
//
//   Doubles until one fails, then halves the gap between the highest that held and the lowest that
//   failed, until the gap is within 5 %. At most `probes_max` tries.
//
//   Plain and without a clock. THREAD: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tern::tool {

class RateSearch {
 public:
  static constexpr int probes_max = 30;

  // REQUIRES 1 <= first <= largest.
  RateSearch(std::uint64_t first, std::uint64_t largest) : next_(first), largest_(largest) {}

  bool over() const { return over_; }
  // REQUIRES not over.
  std::uint64_t next() const { return next_; }
  // The highest rate that held; 0: none did.
  std::uint64_t best() const { return best_; }
  bool found_limit() const { return failed_ != 0; }

  void tried(bool held) {
    (held ? best_ : failed_) = next_;
    ++probes_;
    if (failed_ == 0) {
      over_ = best_ == largest_ || probes_ == probes_max;
      next_ = best_ > largest_ / 2 ? largest_ : 2 * best_;
    } else {
      // Below a first rate that fails the search goes down to 1.
      over_ = failed_ - best_ <= std::max<std::uint64_t>(1, best_ / 20) || probes_ == probes_max;
      next_ = best_ == 0 ? std::max<std::uint64_t>(1, failed_ / 2) : best_ + (failed_ - best_) / 2;
    }
  }

 private:
  std::uint64_t next_;
  std::uint64_t largest_;
  std::uint64_t best_ = 0;
  std::uint64_t failed_ = 0;
  int probes_ = 0;
  bool over_ = false;
};

}  // namespace tern::tool
