#include "tools/tern/load/condition.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

using Quantity = LoadCondition::Quantity;

struct Name {
  std::string_view text;
  Quantity quantity;
  double percent;
};

constexpr std::array<Name, 10> names{{{"p50", Quantity::percentile, 50},
                                      {"p90", Quantity::percentile, 90},
                                      {"p99", Quantity::percentile, 99},
                                      {"p99.9", Quantity::percentile, 99.9},
                                      {"p99.99", Quantity::percentile, 99.99},
                                      {"max", Quantity::maximum, 0},
                                      {"mean", Quantity::mean, 0},
                                      {"rate", Quantity::rate, 0},
                                      {"errors", Quantity::errors, 0},
                                      {"lost", Quantity::lost, 0}}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

const Name* find_name(std::string_view text) {
  for (const Name& name : names) {
    if (name.text == text) return &name;
  }
  return nullptr;
}

std::string_view name_of(const LoadCondition& condition) {
  for (const Name& name : names) {
    if (name.quantity == condition.quantity &&
        (name.quantity != Quantity::percentile || name.percent == condition.percent)) {
      return name.text;
    }
  }
  return "it";
}

}  // namespace

double LoadCondition::value_of(const LoadResult& result) const {
  const Histogram& latency_ns = result.measure.latency_ns;
  switch (quantity) {
    case Quantity::percentile:
      return static_cast<double>(latency_ns.percentile(percent));
    case Quantity::maximum:
      return static_cast<double>(latency_ns.maximum());
    case Quantity::mean:
      return latency_ns.mean();
    case Quantity::rate:
      return result.messages_per_second();
    case Quantity::errors:
      return static_cast<double>(result.errors.total());
    case Quantity::lost:
      return static_cast<double>(result.measure.datagrams.lost);
  }
  return 0;
}

bool LoadCondition::holds(const LoadResult& result) const {
  if (is_latency() && result.measure.latency_ns.count() == 0) return false;
  return is_above ? value_of(result) > value : value_of(result) < value;
}

std::string LoadCondition::finding(const LoadResult& result) const {
  const double found = value_of(result);
  return is_latency() ? fmt::format("{} is {}", name_of(*this),
                                    format_duration(Duration(std::llround(found))))
                      : fmt::format("{} is {:.0f}", name_of(*this), found);
}

bool parse_condition(std::string_view text, LoadCondition& condition, std::string& problem) {
  const std::size_t place = text.find_first_of("<>");
  const Name* name =
      place == std::string_view::npos ? nullptr : find_name(trimmed(text.substr(0, place)));
  if (name == nullptr) {
    problem = fmt::format(
        "'{}' is not a condition; write one such as 'p99>5ms': p50, p90, p99, p99.9, p99.99, max, "
        "mean, rate, errors or lost, then > or <, then a value",
        text);
    return false;
  }
  condition = {std::string(text), name->quantity, name->percent, text[place] == '>', 0};
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
