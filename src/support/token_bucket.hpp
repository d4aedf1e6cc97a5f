// TokenBucket: at most `burst` at once, and `rate` a second in the long run.
//
//   Kept as one time (the generic cell rate algorithm, ITU-T I.371): when the bucket will be full.
//   THREAD  its owner's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "tern/time.hpp"

namespace tern::support {

struct TokenRate {
  // Time between two tokens; zero: there are always some.
  Duration interval = Duration::zero();
  std::uint32_t burst = 1;  // at least 1

  bool is_limited() const { return interval > Duration::zero(); }
};

class TokenBucket {
 public:
  // True: a token was taken.
  bool take(const TokenRate& rate, Time now) {
    if (!rate.is_limited()) return true;
    if (wait(rate, now) > Duration::zero()) return false;
    full_at_ = std::max(full_at_, now) + rate.interval;
    return true;
  }
  // How long until there is a token.
  Duration wait(const TokenRate& rate, Time now) const {
    const Duration room = rate.interval * (rate.burst - 1);
    return std::max(full_at_ - now - room, Duration::zero());
  }
  bool is_full(Time now) const { return full_at_ <= now; }

 private:
  Time full_at_{};
};

}  // namespace tern::support
