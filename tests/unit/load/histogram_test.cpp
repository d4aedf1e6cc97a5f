// The histogram against a sorted list of the same values.
#include "tools/tern/load/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/case.hpp"

namespace {

using tern::test::Random;
using tern::tool::Histogram;

constexpr double percents[] = {0, 0.001, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100};

// The value that a percentile means: the smallest that at least this share does not exceed.
std::uint64_t true_percentile(const std::vector<std::uint64_t>& sorted, double percent) {
  const double share = std::nextafter(percent, 0.0) / 100.0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

// Spread over all magnitudes: a random number of random bits.
std::uint64_t any_magnitude(Random& random, unsigned bits_max) {
  return random.next() >> (64 - 1 - random.below(bits_max));
}

void check_against(const Histogram& histogram, std::vector<std::uint64_t> values) {
  std::sort(values.begin(), values.end());
  REQUIRE(histogram.count() == values.size());
  CHECK(histogram.minimum() == values.front());
  CHECK(histogram.maximum() == values.back());
  double sum = 0;
  for (const std::uint64_t value : values) sum += static_cast<double>(value);
  CHECK(histogram.mean() == doctest::Approx(sum / static_cast<double>(values.size())));
  for (const double percent : percents) {
    const std::uint64_t exact = true_percentile(values, percent);
    const std::uint64_t answer = histogram.percentile(percent);
    CAPTURE(percent);
    CHECK(answer >= exact);
    CHECK(answer - exact <= exact / 1024);
  }
}

TEST_CASE("histogram: slots cover the range without gap or overlap") {
  static_assert(Histogram::slot_of(0) == 0);
  static_assert(Histogram::slot_of(2047) == 2047);
  static_assert(Histogram::slot_of(2048) == 2048);
  static_assert(Histogram::slot_of(2049) == 2048);
  static_assert(Histogram::slot_of(Histogram::value_max) == Histogram::slot_count - 1);
  std::uint64_t next = 0;
  for (std::size_t slot = 0; slot < Histogram::slot_count; ++slot) {
    REQUIRE(Histogram::slot_begin(slot) == next);
    REQUIRE(Histogram::slot_of(Histogram::slot_begin(slot)) == slot);
    REQUIRE(Histogram::slot_of(Histogram::slot_end(slot)) == slot);
    // Three significant digits: no slot is wider than a thousandth of what it holds.
    const std::uint64_t width = Histogram::slot_end(slot) - Histogram::slot_begin(slot) + 1;
    REQUIRE((width == 1 || width * 1024 <= Histogram::slot_begin(slot)));
    next = Histogram::slot_end(slot) + 1;
  }
  CHECK(next == Histogram::value_max + 1);
  CHECK(Histogram::value_max > 60'000'000'000U);  // a minute in nanoseconds
}

TEST_CASE("histogram: nothing recorded is all zeros") {
  Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.overflow() == 0);
  CHECK(histogram.minimum() == 0);
  CHECK(histogram.maximum() == 0);
  CHECK(histogram.mean() == 0.0);
  for (const double percent : percents) CHECK(histogram.percentile(percent) == 0);
  histogram.merge(Histogram());
  CHECK(histogram.minimum() == 0);
  CHECK(histogram.percentile(50) == 0);
}

TEST_CASE("histogram: one value is every percentile, exactly") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2047}, std::uint64_t{2048},
        std::uint64_t{4097}, std::uint64_t{123'456'789}, Histogram::value_max}) {
    Histogram histogram;
    histogram.record(value);
    for (const double percent : percents) CHECK(histogram.percentile(percent) == value);
    CHECK(histogram.minimum() == value);
    CHECK(histogram.maximum() == value);
    CHECK(histogram.mean() == static_cast<double>(value));
    CHECK(histogram.overflow() == 0);
  }
}

TEST_CASE("histogram: small values are exact") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
  CHECK(histogram.percentile(0) == 1);
  CHECK(histogram.percentile(0.1) == 1);
  CHECK(histogram.percentile(50) == 500);
  CHECK(histogram.percentile(90) == 900);
  CHECK(histogram.percentile(99) == 990);
  CHECK(histogram.percentile(99.9) == 999);
  CHECK(histogram.percentile(99.91) == 1000);
  CHECK(histogram.percentile(100) == 1000);
  CHECK(histogram.mean() == 500.5);
  CHECK(histogram.count_up_to(0) == 0);
  CHECK(histogram.count_up_to(700) == 700);
  CHECK(histogram.count_up_to(std::numeric_limits<std::uint64_t>::max()) == 1000);
}

TEST_CASE("histogram: percents outside 0 to 100 are taken for the ends") {
  Histogram histogram;
  histogram.record(5);
  histogram.record(7);
  CHECK(histogram.percentile(-1) == 5);
  CHECK(histogram.percentile(1000) == 7);
}

TEST_CASE("histogram: percentiles are within one part in 1,024 at every magnitude") {
  Random random(tern::test::test_seed());
  for (const unsigned bits : {12U, 20U, 30U, Histogram::value_bits}) {
    for (const std::size_t count : {2U, 3U, 10U, 999U, 20'000U}) {
      Histogram histogram;
      std::vector<std::uint64_t> values;
      for (std::size_t index = 0; index < count; ++index) {
        values.push_back(any_magnitude(random, bits));
        histogram.record(values.back());
      }
      check_against(histogram, values);
    }
  }
}

TEST_CASE("histogram: recording n times is recording once, n times") {
  Random random(tern::test::test_seed());
  Histogram at_once;
  std::vector<std::uint64_t> values;
  for (int index = 0; index < 500; ++index) {
    const std::uint64_t value = any_magnitude(random, 30);
    const std::size_t times = random.below(5);
    if (times > 0) at_once.record(value, times);
    values.insert(values.end(), times, value);
  }
  check_against(at_once, values);
}

TEST_CASE("histogram: merged parts are the whole") {
  Random random(tern::test::test_seed());
  Histogram parts[3];
  Histogram whole;
  std::vector<std::uint64_t> values;
  for (int index = 0; index < 30'000; ++index) {
    const std::uint64_t value = any_magnitude(random, Histogram::value_bits);
    // The middle part stays empty: an empty one must not disturb the minimum.
    parts[2 * random.below(2)].record(value);
    whole.record(value);
    values.push_back(value);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.merge(part);
  check_against(merged, values);
  for (const double percent : percents) {
    CHECK(merged.percentile(percent) == whole.percentile(percent));
  }
  CHECK(merged.mean() == doctest::Approx(whole.mean()));
}

TEST_CASE("histogram: a value above the range is counted as the highest, and as overflow") {
  Histogram histogram;
  histogram.record(10);
  histogram.record(Histogram::value_max);
  CHECK(histogram.overflow() == 0);
  histogram.record(Histogram::value_max + 1, 2);
  histogram.record(std::numeric_limits<std::uint64_t>::max());
  CHECK(histogram.count() == 5);
  CHECK(histogram.overflow() == 3);
  CHECK(histogram.maximum() == Histogram::value_max);
  CHECK(histogram.percentile(100) == Histogram::value_max);
  CHECK(histogram.percentile(20) == 10);

  Histogram merged;
  merged.merge(histogram);
  merged.merge(histogram);
  CHECK(merged.overflow() == 6);
  CHECK(merged.count() == 10);
}

TEST_CASE("histogram: after a reset it is as new") {
  Histogram histogram;
  histogram.record(1'000'000, 3);
  histogram.record(Histogram::value_max + 1);
  histogram.reset();
  CHECK(histogram.count() == 0);
  CHECK(histogram.overflow() == 0);
  CHECK(histogram.percentile(100) == 0);
  histogram.record(42);
  CHECK(histogram.minimum() == 42);
  CHECK(histogram.maximum() == 42);
  CHECK(histogram.mean() == 42.0);
}

}  // namespace
