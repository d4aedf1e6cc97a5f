// What a run found out, for people and for programs. Plain functions on values, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "tools/tern/load/histogram.hpp"
#include "tools/tern/load/plan.hpp"
#include "tools/tern/load/run.hpp"

namespace tern::tool {

// Raised when a key of the JSON changes its meaning or goes away; new keys leave it as it is.
inline constexpr std::uint64_t load_schema_version = 1;

// Several lines; the last one ends with a line break.
std::string load_summary(const LoadRecord& record);
std::string load_json(const LoadRecord& record);
// One line without a line break, of at most 79 columns.
std::string load_progress_line(const LoadPlan& plan, const LoadProgress& progress,
                               double messages_per_second);

// "p50 52.1  p90 …", in microseconds.
std::string percentiles_text(const Histogram& ns);
// "1,234,567"
std::string grouped(std::uint64_t number);

}  // namespace tern::tool
