// LoadCondition: a statement about a result, such as p99>5ms: --fail-if fails the run when it
// holds.
//
//   NAME > or < VALUE, without blanks or with them. A statistic of the latency (p50, max, mean ...)
//   takes a duration; a field that the table of fields gives a name for conditions takes a count.
//
//   Plain values, any thread.
#pragma once

#include <string>
#include <string_view>

namespace tern::tool {

struct LoadField;
struct LoadRecord;
struct Statistic;

struct LoadCondition {
  std::string text;                      // as it was given
  const Statistic* statistic = nullptr;  // of the latency; null: of the field
  const LoadField* field = nullptr;
  bool is_above = true;
  double value = 0;  // nanoseconds for latencies

  bool is_latency() const { return statistic != nullptr; }
  double value_of(const LoadRecord& record) const;
  // A latency of nothing is no latency: it is neither above nor below.
  bool holds(const LoadRecord& record) const;
  // "p99 is 7.2ms"
  std::string finding(const LoadRecord& record) const;
};

// On bad text false, and `problem` says what is wrong and what would be right.
bool parse_condition(std::string_view text, LoadCondition& condition, std::string& problem);

}  // namespace tern::tool
