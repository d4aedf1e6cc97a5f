#include "tools/comparison.hpp"

#include <cmath>
#include <limits>

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
