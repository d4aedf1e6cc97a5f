// When an open loop sends: the plan, without a clock.
#include "tools/tern/load/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

using tern::tool::Arrivals;
using tern::tool::ArrivalSchedule;

std::vector<std::int64_t> plan(Arrivals arrivals, std::uint64_t rate, unsigned workers,
                               std::size_t count, std::uint64_t seed = 1) {
  std::vector<std::int64_t> times;
  for (unsigned worker = 0; worker < workers; ++worker) {
    ArrivalSchedule schedule(arrivals, rate, worker, workers, seed);
    schedule.start(0);
    for (std::size_t sent = 0; sent < count / workers; ++sent) {
      times.push_back(schedule.due_ns());
      schedule.advance();
    }
  }
  std::sort(times.begin(), times.end());
  return times;
}

TEST_CASE("arrivals: constant ones are evenly spaced, on one worker or on three") {
  for (const unsigned workers : {1U, 3U}) {
    const auto times = plan(Arrivals::constant, 300'000, workers, 3'000'000);
    REQUIRE(times.size() == 3'000'000);
    for (std::size_t index = 0; index < times.size(); ++index) {
      // Within a nanosecond after millions of them: no error adds up.
      const double exact = static_cast<double>(index) * 1e9 / 300'000;
      if (std::abs(static_cast<double>(times[index]) - exact) > 1) FAIL(index);
    }
  }
}

TEST_CASE("arrivals: they begin when the run does") {
  ArrivalSchedule schedule(Arrivals::constant, 1000, 0, 1, 1);
  schedule.start(5'000'000'000);
  CHECK(schedule.due_ns() == 5'000'000'000);
  schedule.advance();
  CHECK(schedule.due_ns() == 5'001'000'000);
}

// The mean of n exponential gaps has a deviation of 1/sqrt(n); their own deviation is their mean,
// and 1/e of them are longer than it.
TEST_CASE("arrivals: poisson gaps are exponential, and the workers together keep the rate") {
  for (const unsigned workers : {1U, 4U}) {
    const std::size_t count = 400'000;
    const auto times = plan(Arrivals::poisson, 1'000'000, workers, count);
    double square = 0;
    std::size_t longer = 0;
    // The workers end at different times: only what lies before the earliest end is whole.
    const std::size_t whole = count * 9 / 10;
    const double mean = static_cast<double>(times[whole]) / static_cast<double>(whole);
    CHECK(mean == doctest::Approx(1000).epsilon(0.01));
    for (std::size_t index = 1; index < whole; ++index) {
      const auto gap = static_cast<double>(times[index] - times[index - 1]);
      square += gap * gap;
      longer += gap > mean ? 1 : 0;
    }
    const double deviation = std::sqrt(square / static_cast<double>(whole) - mean * mean);
    CHECK(deviation == doctest::Approx(1000).epsilon(0.02));
    CHECK(static_cast<double>(longer) / static_cast<double>(whole) ==
          doctest::Approx(std::exp(-1)).epsilon(0.02));
  }
}

TEST_CASE("arrivals: a seed means the same plan again, another seed another one") {
  const auto first = plan(Arrivals::poisson, 1000, 2, 100, 7);
  CHECK(first == plan(Arrivals::poisson, 1000, 2, 100, 7));
  CHECK(first != plan(Arrivals::poisson, 1000, 2, 100, 8));
}

}  // namespace
