#include "tools/tern/load/condition.hpp"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "tools/tern/cli/units.hpp"
#include "tools/tern/load/result.hpp"

namespace tern::tool {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Whether there is one of that name.
bool find(std::string_view name, LoadCondition& condition) {
  for (const Statistic& statistic : statistics) {
    if (statistic.name == name) condition.statistic = &statistic;
  }
  for (const LoadField& field : load_fields) {
    if (!name.empty() && field.condition == name) condition.field = &field;
  }
  return condition.statistic != nullptr || condition.field != nullptr;
}

// "p50, p90, ..., errors or lost"
std::string all_names() {
  std::vector<std::string_view> names;
  for (const Statistic& statistic : statistics) names.push_back(statistic.name);
  for (const LoadField& field : load_fields) {
    if (!field.condition.empty()) names.push_back(field.condition);
  }
  std::string text;
  for (const std::string_view& name : names) {
    if (!text.empty()) text += &name == &names.back() ? " or " : ", ";
    text += name;
  }
  return text;
}

}  // namespace

double LoadCondition::value_of(const LoadRecord& record) const {
  if (statistic != nullptr) return statistic->of(record.measure().latency_ns);
  return number_of(tool::value_of(*field, record)).value_or(0);
}

bool LoadCondition::holds(const LoadRecord& record) const {
  if (is_latency() && record.measure().latency_ns.count() == 0) return false;
  return is_above ? value_of(record) > value : value_of(record) < value;
}

std::string LoadCondition::finding(const LoadRecord& record) const {
  const double found = value_of(record);
  return is_latency() ? fmt::format("{} is {}", statistic->name,
                                    format_duration(Duration(std::llround(found))))
                      : fmt::format("{} is {:.0f}", field->condition, found);
}

bool parse_condition(std::string_view text, LoadCondition& condition, std::string& problem) {
  const std::size_t place = text.find_first_of("<>");
  condition = {};
  if (place == std::string_view::npos || !find(trimmed(text.substr(0, place)), condition)) {
    problem = fmt::format(
        "'{}' is not a condition; write one such as 'p99>5ms': {}, then > or <, then a value", text,
        all_names());
    return false;
  }
  condition.text = text;
  condition.is_above = text[place] == '>';
  const std::string_view value = trimmed(text.substr(place + 1));
  if (condition.is_latency()) {
    Duration limit{};
    if (!parse_duration(value, limit, problem)) return false;
    condition.value = static_cast<double>(limit.count());
    return true;
  }
  std::uint64_t limit = 0;
  if (!parse_count(value, limit, problem)) return false;
  condition.value = static_cast<double>(limit);
  return true;
}

}  // namespace tern::tool
