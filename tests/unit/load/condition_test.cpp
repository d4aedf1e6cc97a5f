// Conditions of --fail-if: what is read, what holds, what is said.
#include "tools/tern/load/condition.hpp"

#include <doctest/doctest.h>

#include <string>

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
  LoadResult result;
  result.measured = true;
  result.until = result.from + std::chrono::seconds(1);
  result.measure.messages = 1000;
  result.measure.latency_ns.record(1'000'000, 990);
  result.measure.latency_ns.record(9'000'000, 10);
  result.measure.datagrams.lost = 3;
  for (const char* text : {"p50<2ms", "p99 < 2ms", " p99.9>5ms", "max>8ms", "mean>1ms", "rate>999",
                           "rate<1.1k", "lost>2", "errors<1"}) {
    CAPTURE(text);
    CHECK(read(text).holds(result));
  }
  for (const char* text : {"p50>2ms", "p99.9<5ms", "p99.99<5ms", "rate>1000", "errors>0"}) {
    CAPTURE(text);
    CHECK_FALSE(read(text).holds(result));
  }
  CHECK(read("max>8ms").finding(result) == "max is 9ms");
  CHECK(read("rate>5").finding(result) == "rate is 1000");
}

TEST_CASE("conditions: of a latency that nobody measured none holds") {
  const LoadResult nothing;
  CHECK_FALSE(read("p99<5ms").holds(nothing));
  CHECK_FALSE(read("p99>0").holds(nothing));
  CHECK(read("rate<1").holds(nothing));
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
