#include "tools/tern/compare/comparison.hpp"

#include <algorithm>
#include <cmath>

namespace tern::tool {
namespace {

struct Moments {
  double mean = 0;
  double error = 0;  // the mean's variance
  double degrees = 0;
};

Moments moments_of_logs(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  Moments moments;
  for (const double value : values) moments.mean += std::log(value) / count;
  double square = 0;
  for (const double value : values) square += std::pow(std::log(value) - moments.mean, 2);
  moments.degrees = count - 1;
  moments.error = square / moments.degrees / count;
  return moments;
}

// The continued fraction of the incomplete beta function, by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  constexpr int steps_max = 500;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < tiny ? tiny : d);
  double fraction = d;
  for (int step = 1; step < steps_max; ++step) {
    const double m = step;
    for (const double factor : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + factor * d;
      c = 1 + factor / c;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      c = std::abs(c) < tiny ? tiny : c;
      fraction *= c * d;
    }
    if (std::abs(c * d - 1) < 1e-14) break;
  }
  return fraction;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                   : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// The means of every two values, one with itself included, from the least.
std::vector<double> means_of_two(const std::vector<double>& values) {
  std::vector<double> means;
  means.reserve(values.size() * (values.size() + 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i; j < values.size(); ++j) means.push_back((values[i] + values[j]) / 2);
  }
  std::sort(means.begin(), means.end());
  return means;
}

// How many of those means may be left out at each end. The ranks 1 to `count` get signs by tossing
// a coin; the sum of those above zero is at most what is returned in at most (1 - confidence) / 2
// of all cases.
std::size_t left_out(std::size_t count, double confidence) {
  std::vector<double> chance(count * (count + 1) / 2 + 1, 0);  // of each sum
  chance[0] = 1;
  std::size_t highest = 0;
  for (std::size_t rank = 1; rank <= count; ++rank) {
    highest += rank;
    for (std::size_t sum = highest; sum >= rank; --sum) {
      chance[sum] = (chance[sum] + chance[sum - rank]) / 2;
    }
    for (std::size_t sum = 0; sum < rank; ++sum) chance[sum] /= 2;
  }
  std::size_t sum = 0;
  double below = chance[0] + chance[1];
  while (below <= (1 - confidence) / 2) below += chance[++sum + 1];
  return sum;
}

}  // namespace

double student_quantile(double probability, double degrees) {
  // P(T > t) is half the incomplete beta function at degrees / (degrees + t^2); it falls with t.
  double low = 0;
  double high = 1e9;
  for (int step = 0; step < 200; ++step) {
    const double t = (low + high) / 2;
    const double above = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
    (above > probability ? low : high) = t;
  }
  return high;
}

Comparison compare_runs(const std::vector<double>& before, const std::vector<double>& after,
                        double confidence) {
  const Moments left = moments_of_logs(before);
  const Moments right = moments_of_logs(after);
  const double error = left.error + right.error;
  const double difference = right.mean - left.mean;
  // Welch and Satterthwaite. Without any spread every difference is real.
  double reach = 0;
  if (error > 0) {
    const double degrees =
        error * error /
        (left.error * left.error / left.degrees + right.error * right.error / right.degrees);
    reach = student_quantile((1 - confidence) / 2, degrees) * std::sqrt(error);
  }
  return {std::exp(left.mean), std::exp(right.mean), std::exp(difference),
          std::exp(difference - reach), std::exp(difference + reach)};
}

std::size_t pairs_min(double confidence) {
  std::size_t count = 1;
  while (std::ldexp(1, -static_cast<int>(count)) > (1 - confidence) / 2) ++count;
  return count;
}

Comparison compare_pairs(const std::vector<double>& before, const std::vector<double>& after,
                         double confidence) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < before.size(); ++i) logs.push_back(std::log(after[i] / before[i]));
  const std::vector<double> means = means_of_two(logs);
  const std::size_t outside = left_out(logs.size(), confidence);
  return {median(before), median(after), std::exp(median(means)), std::exp(means[outside]),
          std::exp(means[means.size() - 1 - outside])};
}

Verdict verdict_of(const Comparison& comparison, bool more_is_better, double least) {
  const bool holds_one = comparison.low <= 1 && comparison.high >= 1;
  if (holds_one || std::abs(comparison.ratio - 1) < least) return Verdict::not_distinguishable;
  return (comparison.ratio > 1) == more_is_better ? Verdict::faster : Verdict::slower;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::not_distinguishable:
      return "not distinguishable";
    case Verdict::faster:
      return "faster";
    case Verdict::slower:
      return "slower";
  }
  return "unknown";
}

}  // namespace tern::tool
