// ArrivalSchedule: when the messages of an open-loop run are to be sent, decided before any is.
//
//   constant   one every 1/rate; worker w of n takes the arrivals w, w + n, w + 2n ... of the run,
//              each computed from its number, so that no error adds up
//   poisson    gaps drawn from the exponential distribution, as independent users make them; the
//              sum of n such workers at rate/n is again such a stream at the whole rate
//
//   Times are nanoseconds of the steady clock. The generator is PCG-XSH-RR 64/32 (O'Neill 2014), so
//   that a seed means the same arrivals on every system.
//
//   Plain and without a clock. THREAD: one at a time.
#pragma once

#include <cmath>
#include <cstdint>

namespace tern::tool {

enum class Arrivals : std::uint8_t { constant, poisson };

class ArrivalSchedule {
 public:
  // REQUIRES rate > 0: messages per second over all workers; worker < workers.
  ArrivalSchedule(Arrivals arrivals, std::uint64_t rate, unsigned worker, unsigned workers,
                  std::uint64_t seed)
      : arrivals_(arrivals),
        gap_ns_(1e9 / static_cast<double>(rate)),
        worker_(worker),
        workers_(workers),
        increment_((std::uint64_t{worker} << 1U) | 1U) {
    state_ = seed + increment_;
    draw();
  }

  void start(std::int64_t from_ns) {
    from_ns_ = from_ns;
    number_ = 0;
    offset_ns_ = arrivals_ == Arrivals::poisson ? random_gap_ns() : offset_of(0);
  }

  // When the next message is due, and the one after it.
  std::int64_t due_ns() const { return from_ns_ + static_cast<std::int64_t>(offset_ns_); }
  void advance() {
    ++number_;
    offset_ns_ = arrivals_ == Arrivals::poisson ? offset_ns_ + random_gap_ns() : offset_of(number_);
  }

 private:
  double offset_of(std::uint64_t number) const {
    return gap_ns_ * (static_cast<double>(number) * workers_ + worker_);
  }
  std::uint32_t draw() {
    const std::uint64_t old = state_;
    state_ = old * 6364136223846793005U + increment_;
    const auto mixed = static_cast<std::uint32_t>(((old >> 18U) ^ old) >> 27U);
    const auto turn = static_cast<unsigned>(old >> 59U);
    return (mixed >> turn) | (mixed << ((32U - turn) & 31U));
  }
  // Never log(0): the draw is moved into (0, 1).
  double random_gap_ns() {
    const double uniform = (static_cast<double>(draw()) + 0.5) / 4294967296.0;
    return -std::log(uniform) * gap_ns_ * workers_;
  }

  Arrivals arrivals_;
  double gap_ns_;  // between two messages of the whole run
  unsigned worker_;
  unsigned workers_;
  std::uint64_t increment_;  // odd; each worker has a sequence of its own
  std::uint64_t state_ = 0;
  std::uint64_t number_ = 0;
  std::int64_t from_ns_ = 0;
  double offset_ns_ = 0;
};

}  // namespace tern::tool
