// What a run found out, for people and for programs. Plain functions on values, any thread.
#pragma once

#include <string>

#include "src/support/json_writer.hpp"
#include "tools/tern/load/histogram.hpp"
#include "tools/tern/load/plan.hpp"
#include "tools/tern/load/run.hpp"

namespace tern::tool {

// Raised when a key of the JSON changes its meaning or goes away; new keys leave it as it is.
inline constexpr int load_schema_version = 1;

// Several lines; the last one ends with a line break.
std::string load_summary(const LoadPlan& plan, const LoadOutcome& outcome);
std::string load_json(const LoadPlan& plan, const LoadOutcome& outcome);
// One line without a line break, of at most 79 columns.
std::string load_progress_line(const LoadPlan& plan, const LoadProgress& progress,
                               double messages_per_second);

// Members of a result that every kind of run has: the version of the result's schema, who measured,
// when, and where; and the machine, with the processors of the server if these are known.
void add_origin(JsonWriter& json, int schema_version, const Url& url);
void add_environment(JsonWriter& json, const std::string& server_processors);

// "p50 52.1  p90 …", in microseconds.
std::string percentiles_text(const Histogram& ns);
// An object of them, in microseconds.
void add_percentiles(JsonWriter& json, std::string_view key, const Histogram& ns);
// "1,234,567"
std::string grouped(std::uint64_t number);

}  // namespace tern::tool
