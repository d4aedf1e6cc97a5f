// Whether two sets of runs differ, by more than chance explains.
//
//   Each run gives one number. Runs vary by factors, so their logarithms are compared.
//
//   compare_runs() takes two sets that have nothing to do with each other, by Welch's t-test, which
//   needs no equal spread: the interval holds the true ratio of the (geometric) means in
//   `confidence` of all cases, if runs are independent of each other. Interleave them: two sets
//   that were measured one after the other differ by what the machine did meanwhile.
//
//   compare_pairs() takes sets that took turns: run N of the one and run N of the other saw nearly
//   the same machine, so its drift cancels out in their ratio. The interval is that of Wilcoxon's
//   signed ranks; it asks of the ratios to be independent of each other, and to stray from the true
//   one as often and as far up as down (their logarithms), whatever else they do. At 99 % one
//   disturbed pair of 15 cannot stretch it, nor two of 21; of 8 it is the whole range.
//
//   Plain functions on values, any thread.
//   Source: Welch 1947; Press et al., Numerical Recipes, 6.4 (incomplete beta function); Hodges and
//   Lehmann 1963; Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.3.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tern::tool {

// Below this many runs a set has no spread worth the name.
inline constexpr std::size_t runs_min = 3;

enum class Verdict : std::uint8_t { not_distinguishable, faster, slower };
// "not distinguishable", "faster", "slower"
std::string_view to_string(Verdict verdict);

struct Comparison {
  double before = 0;  // geometric means; of pairs, medians
  double after = 0;
  double ratio = 1;  // after / before
  double low = 1;    // the interval of the ratio
  double high = 1;
};

// REQUIRES at least two runs each, every number above 0, 0 < confidence < 1.
Comparison compare_runs(const std::vector<double>& before, const std::vector<double>& after,
                        double confidence);

// So many pairs are needed for an interval of that confidence: with fewer, chance alone gives all
// of them the same sign too often. 8 for 0.99. REQUIRES 0 < confidence < 1.
std::size_t pairs_min(double confidence);
// The time taken grows with the third power of the pairs: a second for a thousand.
inline constexpr std::size_t pairs_max = 1000;

// `ratio` is the median of the geometric means of all two ratios. REQUIRES as many numbers in the
// one as in the other, pairs_min(confidence) to pairs_max of them, every one above 0.
Comparison compare_pairs(const std::vector<double>& before, const std::vector<double>& after,
                         double confidence);

// Not distinguishable when the interval holds 1, or when the change is less than `least` (0.01 is
// one percent) and nobody should care.
Verdict verdict_of(const Comparison& comparison, bool more_is_better, double least);

// The value that Student's t with so many degrees of freedom exceeds with this probability, for
// tests. REQUIRES 0 < probability < 0.5, degrees > 0.
double student_quantile(double probability, double degrees);

}  // namespace tern::tool
