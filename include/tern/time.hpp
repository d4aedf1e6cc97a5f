// Time as the loop sees it: monotonic, in nanoseconds, read once a turn.
#pragma once

#include <chrono>

namespace tern {

using Duration = std::chrono::nanoseconds;
// On a simulated network this clock is virtual; on a kernel it is CLOCK_MONOTONIC or its like.
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline constexpr Duration forever = Duration::max();

}  // namespace tern
