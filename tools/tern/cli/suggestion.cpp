#include "tools/tern/cli/suggestion.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

namespace tern::tool {
namespace {

// How many letters must change to make one word of the other (Levenshtein).
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& words) {
  std::string_view best;
  std::size_t best_distance = 3;
  for (const std::string& candidate : words) {
    const std::size_t letters = distance(word, candidate);
    if (letters < best_distance && letters < candidate.size()) {
      best = candidate;
      best_distance = letters;
    }
  }
  return best.empty() ? std::string() : fmt::format("; did you mean '{}'?", best);
}

}  // namespace tern::tool
