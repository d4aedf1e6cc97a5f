// What is printed and written: JSON, the summary.
#include "tools/tern/load/report.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <variant>

#include "src/support/json_writer.hpp"
#include "support/temporary_path.hpp"

namespace {

using namespace tern::tool;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

LoadPlan some_plan() {
  LoadPlan plan;
  std::string problem;
  REQUIRE(tern::Url::parse("tcp://127.0.0.1:7007", plan.options.url, problem));
  return plan;
}

LoadOutcome reported_outcome() {
  LoadOutcome outcome;
  LoadResult& result = outcome.result;
  result.measured = true;
  result.until = result.from + std::chrono::seconds(2);
  result.measure.messages = 1'000'000;
  result.measure.latency_ns.record(250'000, 1'000'000);
  result.measure.connect_ns.record(50'000, 50);
  result.measure.connections_opened = 50;
  result.reached = true;
  outcome.usage.loader_cpu_s = 1.5;
  outcome.usage.loader_share = 0.75;
  return outcome;
}

TEST_CASE("json writer: objects, texts and numbers") {
  tern::support::JsonWriter json;
  json.open()
      .add("text", "a \"quoted\" \\ line\nand \x01")
      .add("whole", 18'446'744'073'709'551'615U)
      .add("negative", -3)
      .add("fraction", 0.1)
      .add("large", 1e300)
      .add("truth", true)
      .add("nothing", std::optional<double>())
      .add("endless", std::numeric_limits<double>::infinity())
      .open("inner")
      .close()
      .open("other")
      .add("x", 1)
      .close();
  CHECK(json.close().text() ==
        "{\n"
        "  \"text\": \"a \\\"quoted\\\" \\\\ line\\u000aand \\u0001\",\n"
        "  \"whole\": 18446744073709551615,\n"
        "  \"negative\": -3,\n"
        "  \"fraction\": 0.1,\n"
        "  \"large\": 1e+300,\n"
        "  \"truth\": true,\n"
        "  \"nothing\": null,\n"
        "  \"endless\": null,\n"
        "  \"inner\": {},\n"
        "  \"other\": {\n"
        "    \"x\": 1\n"
        "  }\n"
        "}\n");
}

TEST_CASE("load report: the summary of a clean run") {
  const std::string text = load_summary({some_plan(), reported_outcome()});
  CHECK(contains(text, "1,000,000 in 2.00 s: 500,000/s, 32.0 MB/s each way"));
  CHECK(contains(text, "p50 250  p90 250  p99 250  p99.9 250  max 250  mean 250"));
  CHECK(contains(text, "closed loop: latency includes queueing"));
  CHECK(contains(text, "errors      none"));
  CHECK(contains(text, "1.50 us of CPU a message, 75 %"));
  CHECK_FALSE(contains(text, "warning"));
  CHECK_FALSE(contains(text, "server "));
  CHECK_FALSE(contains(text, "datagrams"));
}

TEST_CASE("load report: a loader at its limit says so, and the server's share is shown") {
  LoadPlan plan = some_plan();
  plan.options.server_pid = 1;
  LoadOutcome outcome = reported_outcome();
  outcome.usage.loader_share = 0.96;
  outcome.usage.server_cpu_s = 1.0;
  outcome.usage.server_resident_bytes = 3 * 1024 * 1024;
  const std::string text = load_summary({plan, outcome});
  CHECK(contains(text, "warning"));
  CHECK(contains(text, "1.00 us of CPU a message, 50 % of one CPU, 3.0 MiB resident"));
}

TEST_CASE("load report: errors are shown by class with an example") {
  LoadOutcome outcome = reported_outcome();
  outcome.result.errors.add(LoadError::wrong_bytes, "connection 3: byte 5");
  outcome.result.errors.add(LoadError::wrong_bytes, "connection 4: byte 6");
  outcome.result.errors.add(LoadError::reset_by_server, "connection 9: reset");
  const std::string text = load_summary({some_plan(), outcome});
  CHECK(contains(text, "2 wrong_bytes; the first: connection 3: byte 5"));
  CHECK(contains(text, "1 reset_by_server; the first: connection 9: reset"));
  const std::string json = load_json({some_plan(), outcome});
  CHECK(contains(json, "\"errors\": 3,"));
  CHECK(contains(json, "\"wrong_bytes\": 2,"));
  CHECK(contains(json, "\"surplus_bytes\": 0,"));
}

TEST_CASE("load report: nothing measured is zeros and nulls, never a division by zero") {
  const LoadOutcome nothing;
  const std::string text = load_summary({some_plan(), nothing});
  CHECK(contains(text, "ended before anything was measured"));
  CHECK(contains(text, "messages    0 in 0.00 s: 0.00/s"));
  const std::string json = load_json({some_plan(), nothing});
  CHECK(contains(json, "\"messages_per_second\": 0"));
  CHECK(contains(json, "\"server_cpu_us_per_message\": null"));
  CHECK(contains(json, "\"loader_cpu_us_per_message\": null"));
  CHECK_FALSE(contains(json, "nan"));
}

TEST_CASE("load report: a datagram run shows what the network did") {
  LoadPlan plan = some_plan();
  plan.options.url.scheme = tern::Scheme::udp;
  LoadOutcome outcome = reported_outcome();
  LoadMeasure& measure = outcome.result.measure;
  measure.sent = 1'000'010;
  measure.lost = 10;
  measure.late = 1;
  measure.reordered = 2;
  measure.duplicated = 3;
  CHECK(contains(load_summary({plan, outcome}),
                 "1,000,010 sent, 10 lost (0.001 %), 2 reordered, 3 duplicated"));
  CHECK(contains(load_json({plan, outcome}), "\"reordered\": 2"));
}

TEST_CASE("load report: numbers are grouped by threes") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(123'456) == "123,456");
  CHECK(grouped(1'234'567) == "1,234,567");
}

TEST_CASE("load result: parts of a run are merged into its whole") {
  LoadResult whole;
  LoadResult unmeasured;
  unmeasured.errors.add(LoadError::connect_refused, "connection 1");
  LoadResult early;
  early.measured = true;
  early.from = tern::Time(std::chrono::seconds(10));
  early.until = tern::Time(std::chrono::seconds(20));
  early.measure.messages = 5;
  LoadResult late = early;
  late.from += std::chrono::seconds(1);
  late.until += std::chrono::seconds(1);
  for (const LoadResult* part : {&unmeasured, &late, &early}) whole.merge(*part);
  CHECK(whole.elapsed() == std::chrono::seconds(11));
  CHECK(whole.measure.messages == 10);
  CHECK(whole.errors.total() == 1);
  CHECK(whole.errors.example(LoadError::connect_refused) == "connection 1");
}

TEST_CASE("load result: every measure is added up, and forgotten when the warm-up ends") {
  LoadMeasure whole;
  LoadMeasure part;
  std::uint64_t number = 0;
  for (const LoadField& field : load_fields) {
    ++number;
    if (const auto* count = std::get_if<LoadCount>(&field.source)) {
      whole.*(*count) = number;
      part.*(*count) = 1000 * number;
    } else if (const auto* ns = std::get_if<LoadHistogram>(&field.source)) {
      (whole.*(*ns)).record(number);
      (part.*(*ns)).record(1000 * number, 2);
    }
  }
  whole.merge(part);
  const auto check = [&](std::uint64_t counts, std::uint64_t records, bool of_connects_too) {
    std::uint64_t expected = 0;
    for (const LoadField& field : load_fields) {
      CAPTURE(field.name);
      ++expected;
      const bool is_kept = field.outlives_warmup && !of_connects_too;
      if (const auto* count = std::get_if<LoadCount>(&field.source)) {
        CHECK(whole.*(*count) == (is_kept ? 1001 : counts) * expected);
      } else if (const auto* ns = std::get_if<LoadHistogram>(&field.source)) {
        CHECK((whole.*(*ns)).count() == (is_kept ? 3 : records));
        CHECK(((whole.*(*ns)).maximum() == 1000 * expected) == (is_kept || records > 0));
      }
    }
  };
  check(1001, 3, true);
  whole.reset(false);
  check(0, 0, false);
  whole.reset(true);
  check(0, 0, true);
}

}  // namespace
