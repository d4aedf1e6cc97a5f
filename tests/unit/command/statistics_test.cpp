// The line of --stats: every number of the table, as a rate or as it is.
#include "tools/tern/serve/statistics.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace tern;

namespace {

// A space before and behind, so that a field is not found inside another one.
bool has_field(const std::string& line, const std::string& field) {
  return (' ' + line + ' ').find(' ' + field + ' ') != std::string::npos;
}

std::string line_of(const Counters& before, const Counters& after) {
  return tool::statistics_line(before, after, std::chrono::seconds(2), {3, 4});
}

}  // namespace

TEST_CASE("statistics: each counter is a rate, each gauge is as it is") {
  for (const CounterInfo& row : counter_table) {
    const std::string name(row.name);
    CAPTURE(name);
    Counters before;
    Counters after;
    before.*row.member = 5;
    after.*row.member = 12;
    const std::string line = line_of(before, after);
    const bool is_gauge = row.kind == CounterKind::gauge;
    if (row.member != &Counters::open_connections) {
      CHECK(has_field(line, name + (is_gauge ? "=12" : "=3.5")));
    }
    // It is the only one that has changed.
    for (const CounterInfo& other : counter_table) {
      if (other.member == row.member || other.member == &Counters::open_connections) continue;
      CHECK(has_field(line, std::string(other.name) + "=0"));
    }
  }
}

TEST_CASE("statistics: connections of each reactor, and reasons that occurred") {
  for (std::size_t i = 0; i < close_reason_count; ++i) {
    const std::string name(to_string(static_cast<CloseReason>(i)));
    Counters after;
    after.closed[i] = 400;
    const std::string line = line_of({}, after);
    CHECK(line.starts_with("stats interval=2.00s connections=3+4 "));
    CHECK(has_field(line, "closed." + name + "=200"));
    CHECK(line.find("closed.") == line.rfind("closed."));
  }
}
