// Conditions of --fail-if: what is read, what holds, what is said.
#include "tools/tern/load/condition.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tools/tern/load/result.hpp"

namespace {

using namespace tern::tool;

LoadCondition read(const std::string& text) {
  LoadCondition condition;
  std::string problem;
  CAPTURE(text);
  REQUIRE(parse_condition(text, condition, problem));
  return condition;
}

TEST_CASE("conditions: latencies, rates and counts") {
  const LoadPlan plan;
  LoadOutcome outcome;
  const LoadRecord record{plan, outcome};
  LoadResult& result = outcome.result;
  result.measured = true;
  result.until = result.from + std::chrono::seconds(1);
  result.measure.messages = 1000;
  result.measure.latency_ns.record(1'000'000, 990);
  result.measure.latency_ns.record(9'000'000, 10);
  result.measure.lost = 3;
  for (const char* text : {"p50<2ms", "p99 < 2ms", " p99.9>5ms", "max>8ms", "mean>1ms", "rate>999",
                           "rate<1.1k", "lost>2", "errors<1"}) {
    CAPTURE(text);
    CHECK(read(text).holds(record));
  }
  for (const char* text : {"p50>2ms", "p99.9<5ms", "p99.99<5ms", "rate>1000", "errors>0"}) {
    CAPTURE(text);
    CHECK_FALSE(read(text).holds(record));
  }
  CHECK(read("max>8ms").finding(record) == "max is 9ms");
  CHECK(read("rate>5").finding(record) == "rate is 1000");
}

TEST_CASE("conditions: of a latency that nobody measured none holds") {
  const LoadPlan plan;
  const LoadOutcome outcome;
  const LoadRecord nothing{plan, outcome};
  CHECK_FALSE(read("p99<5ms").holds(nothing));
  CHECK_FALSE(read("p99>0").holds(nothing));
  CHECK(read("rate<1").holds(nothing));
}

TEST_CASE("conditions: each field that has a name for them is found by it") {
  const LoadPlan plan;
  LoadOutcome outcome;
  const LoadRecord record{plan, outcome};
  for (const LoadField& field : load_fields) {
    if (field.condition.empty()) continue;
    CAPTURE(field.name);
    const std::string name(field.condition);
    if (const auto* count = std::get_if<LoadCount>(&field.source)) {
      outcome.result.measure.*(*count) = 7;
      CHECK(read(name + ">6").finding(record) == name + " is 7");
    }
    CHECK_FALSE(read(name + ">7").holds(record));
    CHECK(number_of(value_of(field, record)).has_value());
  }
  for (const Statistic& statistic : statistics) {
    CHECK(read(std::string(statistic.name) + ">1s").is_latency());
  }
}

TEST_CASE("conditions: what is none is refused with what would be right") {
  LoadCondition condition;
  std::string problem;
  for (const char* text : {"", "p99", "p99=5ms", "p98>5ms", ">5ms", "latency>5ms", "P99>5ms"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_condition(text, condition, problem));
    CHECK(problem.find("write one such as 'p99>5ms'") != std::string::npos);
  }
  for (const char* text : {"p99>5", "p99>", "p99>-1ms", "p99>>5ms", "p99>5ms,max>1s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_condition(text, condition, problem));
    CHECK(problem.find("500ms") != std::string::npos);
  }
  for (const char* text : {"rate>5ms", "errors>x", "lost<"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_condition(text, condition, problem));
    CHECK(problem.find("whole number") != std::string::npos);
  }
}

}  // namespace
