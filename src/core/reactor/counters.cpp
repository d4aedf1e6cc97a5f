#include "tern/counters.hpp"

#include <numeric>

namespace tern {

std::uint64_t Counters::closed_total() const {
  return std::accumulate(closed.begin(), closed.end(), std::uint64_t{0});
}

Counters& Counters::operator+=(const Counters& other) {
  for (const CounterInfo& row : counter_table) this->*row.member += other.*row.member;
  for (std::size_t i = 0; i < close_reason_count; ++i) closed[i] += other.closed[i];
  return *this;
}

}  // namespace tern
