// A field of a result: its value, and how that is written as JSON.
//
//   Plain values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "src/support/json_writer.hpp"
#include "tools/tern/load/histogram.hpp"

namespace tern::tool {

class LoadErrors;

// What is read from a histogram of nanoseconds.
struct Statistic {
  std::string_view name;  // as printed, and for --fail-if; JSON has '_' for '.'
  double (*of)(const Histogram&);
  bool in_results = true;
  bool is_compared = false;  // by tern compare
  bool decides = false;      // its verdict on an open loop
};

inline constexpr std::array statistics = std::to_array<Statistic>({
    {.name = "p50",
     .of = [](const Histogram& ns) { return static_cast<double>(ns.percentile(50)); },
     .is_compared = true},
    {.name = "p90",
     .of = [](const Histogram& ns) { return static_cast<double>(ns.percentile(90)); }},
    {.name = "p99",
     .of = [](const Histogram& ns) { return static_cast<double>(ns.percentile(99)); },
     .is_compared = true,
     .decides = true},
    {.name = "p99.9",
     .of = [](const Histogram& ns) { return static_cast<double>(ns.percentile(99.9)); },
     .is_compared = true},
    {.name = "p99.99",
     .of = [](const Histogram& ns) { return static_cast<double>(ns.percentile(99.99)); },
     .in_results = false},
    {.name = "max", .of = [](const Histogram& ns) { return static_cast<double>(ns.maximum()); }},
    {.name = "mean", .of = [](const Histogram& ns) { return ns.mean(); }},
});
// "p99_9"
std::string json_name(const Statistic& statistic);

// The percentiles that a plot shows: fine where it bends, to the last message in 100,000.
struct Curve {
  const Histogram* ns;
};

// A histogram is written as its statistics in microseconds, errors as their counts by class.
using FieldValue = std::variant<bool, std::uint64_t, double, std::optional<double>, std::string,
                                const Histogram*, Curve, const LoadErrors*>;

// Nothing for what is no single number.
std::optional<double> number_of(const FieldValue& value);
// REQUIRES that what `value` points to is there.
void add_field(support::JsonWriter& json, std::string_view name, const FieldValue& value);

// A row of a table of fields, in the order in which they are written.
template <class Record>
struct Field {
  std::string_view name;  // the key in JSON; its end is its unit
  FieldValue (*value)(const Record&);
  std::string_view meaning;
  std::span<const std::string_view> choices = {};  // of a text: all that it can be
  bool is_optional = false;                        // an empty text is left out
  bool is_noted = false;  // tern compare says so when two sets differ in it
};

template <class Record>
void add_fields(support::JsonWriter& json, std::span<const Field<Record>> fields,
                const Record& record) {
  for (const Field<Record>& field : fields) {
    const FieldValue value = field.value(record);
    const std::string* text = std::get_if<std::string>(&value);
    if (field.is_optional && text != nullptr && text->empty()) continue;
    add_field(json, field.name, value);
  }
}

}  // namespace tern::tool
