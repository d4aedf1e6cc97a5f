// Whether two sets of runs differ: the statistics against known figures and seeded noise.
#include "tools/tern/compare/comparison.hpp"

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

// Hamilton's scale factor of nine patients before and after the first therapy, as in Hollander,
// Wolfe and Chicken, table 3.1; they give -0.46, and -0.786 to -0.010 for at least 95 %.
TEST_CASE("comparison: the interval of Wilcoxon's signed ranks") {
  std::vector<double> before{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
  std::vector<double> after{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
  for (std::vector<double>* set : {&before, &after}) {
    for (double& value : *set) value = std::exp(value);
  }
  const Comparison found = compare_pairs(before, after, 0.95);
  CHECK(std::log(found.before) == doctest::Approx(1.68));
  CHECK(std::log(found.after) == doctest::Approx(1.06));
  CHECK(std::log(found.ratio) == doctest::Approx(-0.46));
  CHECK(std::log(found.low) == doctest::Approx(-0.786).epsilon(1e-3));
  CHECK(std::log(found.high) == doctest::Approx(-0.010).epsilon(1e-3));
}

TEST_CASE("comparison: no more is claimed of pairs than their number allows") {
  CHECK(pairs_min(0.5) == 2);
  CHECK(pairs_min(0.95) == 6);
  CHECK(pairs_min(0.99) == 8);
  // The critical values of the tables: 0 of 8 and 1 of 9 at 99 %. All ratios but one are 2.
  const std::vector<double> ones(9, 1);
  std::vector<double> after(9, 2);
  after.back() = 0.5;
  CHECK(compare_pairs(ones, after, 0.99).low == doctest::Approx(1));  // of 0.5 and 2
  CHECK(compare_pairs(ones, after, 0.99).high == doctest::Approx(2));
  const std::vector<double> eight(after.begin() + 1, after.end());
  CHECK(compare_pairs({ones.begin() + 1, ones.end()}, eight, 0.99).low == doctest::Approx(0.5));
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

// A machine that changes its speed by a quarter, and some runs that were disturbed: what two sets
// cannot tell apart, pairs can.
TEST_CASE("comparison: pairs find 10 % on a machine that changes its speed") {
  Random random(tern::test::test_seed());
  constexpr int rounds = 1000;
  int wrong = 0;
  int found_by_pairs = 0;
  int found_by_sets = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> before;
    std::vector<double> same;
    std::vector<double> slow;
    for (int pair = 0; pair < 20; ++pair) {
      const double speed = noisy(random, 1, 0.25);
      const auto run = [&](double mean) {
        const double disturbance = random.below(10) == 0 ? 0.25 : 0.02;
        return speed * noisy(random, mean, disturbance);
      };
      before.push_back(run(100'000));
      same.push_back(run(100'000));
      slow.push_back(run(90'000));
    }
    const auto paired = [&](const std::vector<double>& after) {
      return verdict_of(compare_pairs(before, after, 0.99), true, 0.01);
    };
    wrong += paired(same) == Verdict::not_distinguishable ? 0 : 1;
    found_by_pairs += paired(slow) == Verdict::slower ? 1 : 0;
    found_by_sets +=
        verdict_of(compare_runs(before, slow, 0.99), true, 0.01) == Verdict::slower ? 1 : 0;
  }
  CHECK(wrong <= rounds * 2 / 100);
  CHECK(found_by_pairs >= rounds * 80 / 100);
  CHECK(found_by_sets <= rounds / 4);
}

}  // namespace
