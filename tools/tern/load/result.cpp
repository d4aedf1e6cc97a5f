#include "tools/tern/load/result.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tern::tool {
namespace {

// As many rows as there are members, and none twice: so each member has its row.
constexpr bool each_member_has_a_row() {
  std::size_t bytes = 0;
  for (const LoadField& row : load_fields) {
    if (std::holds_alternative<LoadCount>(row.source)) bytes += sizeof(std::uint64_t);
    if (std::holds_alternative<LoadHistogram>(row.source)) bytes += sizeof(Histogram);
    for (const LoadField& other : load_fields) {
      if (&other == &row) continue;
      if (other.name == row.name) return false;
      if (row.source.index() != 0 && other.source == row.source) return false;
    }
  }
  return bytes == sizeof(LoadMeasure);
}
static_assert(each_member_has_a_row());

// Calls one of the two with each member that the table has.
void each_member(const auto& with_count, const auto& with_histogram) {
  for (const LoadField& field : load_fields) {
    if (const auto* count = std::get_if<LoadCount>(&field.source)) with_count(*count, field);
    if (const auto* ns = std::get_if<LoadHistogram>(&field.source)) with_histogram(*ns, field);
  }
}

}  // namespace

void LoadErrors::add(LoadError error, std::string example, std::uint64_t times) {
  const auto index = static_cast<std::size_t>(error);
  if (counts_[index] == 0) examples_[index] = std::move(example);
  counts_[index] += times;
}

void LoadErrors::merge(const LoadErrors& other) {
  for (std::size_t index = 0; index < load_error_count; ++index) {
    if (other.counts_[index] > 0) {
      add(static_cast<LoadError>(index), other.examples_[index], other.counts_[index]);
    }
  }
}

std::uint64_t LoadErrors::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

void LoadMeasure::reset(bool connects_too) {
  const auto is_kept = [&](const LoadField& field) {
    return field.outlives_warmup && !connects_too;
  };
  each_member(
      [&](LoadCount count, const LoadField& field) {
        if (!is_kept(field)) this->*count = 0;
      },
      [&](LoadHistogram ns, const LoadField& field) {
        if (!is_kept(field)) (this->*ns).reset();
      });
}

void LoadMeasure::merge(const LoadMeasure& other) {
  each_member([&](LoadCount count, const LoadField&) { this->*count += other.*count; },
              [&](LoadHistogram ns, const LoadField&) { (this->*ns).merge(other.*ns); });
}

double LoadResult::messages_per_second() const {
  const double seconds = std::chrono::duration<double>(elapsed()).count();
  return seconds > 0 ? static_cast<double>(measure.messages) / seconds : 0.0;
}

void LoadResult::merge(const LoadResult& other) {
  measure.merge(other.measure);
  errors.merge(other.errors);
  reached = reached || other.reached;
  idle_opened += other.idle_opened;
  if (!other.measured) return;
  from = measured ? std::min(from, other.from) : other.from;
  until = measured ? std::max(until, other.until) : other.until;
  measured = true;
}

double LoadRecord::megabytes_per_second() const {
  return result().messages_per_second() * static_cast<double>(options().message_bytes) / 1e6;
}

std::optional<double> LoadRecord::per_message(std::optional<double> amount) const {
  if (!amount || measure().messages == 0) return std::nullopt;
  return *amount / static_cast<double>(measure().messages);
}

std::optional<double> LoadRecord::us_per_message(std::optional<double> cpu_s) const {
  return cpu_s ? per_message(*cpu_s * 1e6) : std::nullopt;
}

std::optional<double> LoadRecord::switches_per_message() const {
  const auto& switches = outcome.usage.server_switches;
  return switches ? per_message(static_cast<double>(*switches)) : std::nullopt;
}

bool is_in(Scope scope, const LoadPlan& plan) {
  switch (scope) {
    case Scope::every_run:
      return true;
    case Scope::open_loop:
      return plan.options.is_open_loop();
    case Scope::tls:
      return plan.tls != nullptr;
    case Scope::datagrams:
      return plan.options.is_datagram();
  }
  return false;
}

FieldValue value_of(const LoadField& field, const LoadRecord& record) {
  if (const auto* count = std::get_if<LoadCount>(&field.source)) return record.measure().*(*count);
  if (const auto* ns = std::get_if<LoadHistogram>(&field.source)) {
    return &(record.measure().*(*ns));
  }
  return std::get<0>(field.source)(record);
}

}  // namespace tern::tool
