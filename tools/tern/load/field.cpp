#include "tools/tern/load/field.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "tools/tern/load/result.hpp"

namespace tern::tool {
namespace {

struct FieldWriter {
  support::JsonWriter& json;
  std::string_view name;

  void operator()(bool value) const { json.add(name, value); }
  void operator()(std::uint64_t value) const { json.add(name, value); }
  void operator()(double value) const { json.add(name, value); }
  void operator()(const std::optional<double>& value) const { json.add(name, value); }
  void operator()(const std::string& value) const { json.add(name, value); }

  void operator()(const Histogram* ns) const {
    json.open(name);
    for (const Statistic& statistic : statistics) {
      if (statistic.in_results) json.add(json_name(statistic), statistic.of(*ns) / 1e3);
    }
    json.add("count", ns->count()).close();
  }

  void operator()(Curve curve) const {
    json.open(name);
    for (const double percent : {0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75,
                                 99.9, 99.95, 99.975, 99.99, 99.999, 100.0}) {
      json.add(fmt::format("{}", percent),
               static_cast<double>(curve.ns->percentile(percent)) / 1e3);
    }
    json.close();
  }

  void operator()(const LoadErrors* errors) const {
    json.open(name);
    for (std::size_t index = 0; index < load_error_count; ++index) {
      const auto error = static_cast<LoadError>(index);
      json.add(to_string(error), errors->of(error));
    }
    json.close();
  }
};

}  // namespace

std::string json_name(const Statistic& statistic) {
  std::string name(statistic.name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::optional<double> number_of(const FieldValue& value) {
  if (const auto* count = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*count);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* number = std::get_if<std::optional<double>>(&value);
  return number != nullptr ? *number : std::nullopt;
}

void add_field(support::JsonWriter& json, std::string_view name, const FieldValue& value) {
  std::visit(FieldWriter{json, name}, value);
}

}  // namespace tern::tool
