#include "tools/tern/load/result.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tern::tool {

std::string_view to_string(LoadError error) {
  switch (error) {
    case LoadError::connect_refused:
      return "connect_refused";
    case LoadError::connect_timed_out:
      return "connect_timed_out";
    case LoadError::connect_failed:
      return "connect_failed";
    case LoadError::answer_timed_out:
      return "answer_timed_out";
    case LoadError::wrong_bytes:
      return "wrong_bytes";
    case LoadError::surplus_bytes:
      return "surplus_bytes";
    case LoadError::ended_by_server:
      return "ended_by_server";
    case LoadError::reset_by_server:
      return "reset_by_server";
    case LoadError::connection_failed:
      return "connection_failed";
    case LoadError::all_lost:
      return "all_lost";
  }
  return "unknown";
}

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

DatagramCounts& DatagramCounts::operator+=(const DatagramCounts& other) {
  sent += other.sent;
  lost += other.lost;
  late += other.late;
  reordered += other.reordered;
  duplicated += other.duplicated;
  dropped += other.dropped;
  bounced += other.bounced;
  return *this;
}

void ConnectCounts::merge(const ConnectCounts& other) {
  connect_ns.merge(other.connect_ns);
  handshake_ns.merge(other.handshake_ns);
  opened += other.opened;
  resumed += other.resumed;
}

void LoadMeasure::reset(bool connects_too) {
  latency_ns.reset();
  lateness_ns.reset();
  messages = 0;
  unanswered = 0;
  datagrams = {};
  if (connects_too) connects = {};
}

void LoadMeasure::merge(const LoadMeasure& other) {
  latency_ns.merge(other.latency_ns);
  lateness_ns.merge(other.lateness_ns);
  messages += other.messages;
  unanswered += other.unanswered;
  datagrams += other.datagrams;
  connects.merge(other.connects);
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

}  // namespace tern::tool
