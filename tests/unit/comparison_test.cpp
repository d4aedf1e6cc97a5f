// Whether two sets of runs differ: the statistics against known figures and seeded noise.
#include "tools/comparison.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/case.hpp"

namespace {

using namespace tern::tool;
using tern::test::Random;

TEST_CASE("comparison: student's t as the tables have it") {
  CHECK(student_quantile(0.025, 1) == doctest::Approx(12.706).epsilon(1e-4));
  CHECK(student_quantile(0.005, 4) == doctest::Approx(4.6041).epsilon(1e-4));
  CHECK(student_quantile(0.025, 8.5) == doctest::Approx(2.2823).epsilon(1e-3));
  CHECK(student_quantile(0.005, 12) == doctest::Approx(3.0545).epsilon(1e-4));
  CHECK(student_quantile(0.05, 1000) == doctest::Approx(1.6464).epsilon(1e-4));
}

TEST_CASE("comparison: the interval of Welch's test") {
  // Logarithms 0 1 2 and 1 3 5: means 1 and 3, variances 1 and 4, error 5/3, 2.941 degrees.
  const std::vector<double> before{1, std::exp(1), std::exp(2)};
  const std::vector<double> after{std::exp(1), std::exp(3), std::exp(5)};
  const Comparison found = compare_runs(before, after, 0.95);
  CHECK(found.before == doctest::Approx(std::exp(1)));
  CHECK(found.ratio == doctest::Approx(std::exp(2)));
  const double reach = student_quantile(0.025, 25.0 / 8.5) * std::sqrt(5.0 / 3);
  CHECK(found.low == doctest::Approx(std::exp(2 - reach)));
  CHECK(found.high == doctest::Approx(std::exp(2 + reach)));
}

TEST_CASE("comparison: verdicts") {
  CHECK(verdict_of({1, 1.1, 1.1, 1.05, 1.15}, true, 0.01) == Verdict::faster);
  CHECK(verdict_of({1, 1.1, 1.1, 1.05, 1.15}, false, 0.01) == Verdict::slower);
  CHECK(verdict_of({1, 0.9, 0.9, 0.8, 0.95}, true, 0.01) == Verdict::slower);
  CHECK(verdict_of({1, 0.9, 0.9, 0.8, 0.95}, false, 0.01) == Verdict::faster);
  CHECK(verdict_of({1, 1.1, 1.1, 0.99, 1.3}, true, 0.01) == Verdict::not_distinguishable);
  CHECK(verdict_of({1, 1.005, 1.005, 1.003, 1.007}, true, 0.01) == Verdict::not_distinguishable);
  const Comparison still = compare_runs({5, 5, 5}, {5, 5, 5}, 0.99);
  CHECK(verdict_of(still, true, 0.01) == Verdict::not_distinguishable);
}

// About normal: the sum of twelve uniform numbers.
double noisy(Random& random, double mean, double deviation) {
  double sum = -6;
  for (int term = 0; term < 12; ++term)
    sum += static_cast<double>(random.below(1 << 20)) / (1 << 20);
  return mean * std::exp(deviation * sum);
}

TEST_CASE("comparison: the same thing is not distinguishable from itself, 10 % are found") {
  Random random(tern::test::test_seed());
  constexpr int rounds = 2000;
  constexpr double spread = 0.02;
  int wrong = 0;
  int found = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> before;
    std::vector<double> same;
    std::vector<double> slow;
    for (int run = 0; run < 7; ++run) {
      before.push_back(noisy(random, 100'000, spread));
      same.push_back(noisy(random, 100'000, spread));
      slow.push_back(noisy(random, 90'000, spread));
    }
    const auto verdict = [&](const std::vector<double>& after) {
      return verdict_of(compare_runs(before, after, 0.99), true, 0.01);
    };
    wrong += verdict(same) == Verdict::not_distinguishable ? 0 : 1;
    found += verdict(slow) == Verdict::slower ? 1 : 0;
  }
  // One in a hundred is expected; two would be many deviations off.
  CHECK(wrong <= rounds * 2 / 100);
  CHECK(found >= rounds * 999 / 1000);
}

}  // namespace
