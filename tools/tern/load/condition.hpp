// LoadCondition: a statement about a result, such as p99>5ms: --fail-if fails the run when it
// holds.
//
//   NAME > or < VALUE, without blanks or with them. Latencies (p50 p90 p99 p99.9 p99.99 max mean)
//   take a duration; rate (messages a second), errors and lost (datagrams) take a count.
//
//   Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/tern/load/result.hpp"

namespace tern::tool {

struct LoadCondition {
  enum class Quantity : std::uint8_t { percentile, maximum, mean, rate, errors, lost };

  std::string text;  // as it was given
  Quantity quantity = Quantity::percentile;
  double percent = 99;
  bool is_above = true;
  double value = 0;  // nanoseconds for latencies

  bool is_latency() const { return quantity <= Quantity::mean; }
  double value_of(const LoadResult& result) const;
  // A latency of nothing is no latency: it is neither above nor below.
  bool holds(const LoadResult& result) const;
  // "p99 is 7.2ms"
  std::string finding(const LoadResult& result) const;
};

// On bad text false, and `problem` says what is wrong and what would be right.
bool parse_condition(std::string_view text, LoadCondition& condition, std::string& problem);

}  // namespace tern::tool
