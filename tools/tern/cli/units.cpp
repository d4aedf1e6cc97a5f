#include "tools/tern/cli/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace tern::tool {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t microsecond = 1'000;
constexpr std::uint64_t millisecond = 1'000 * microsecond;
constexpr std::uint64_t second = 1'000 * millisecond;
constexpr std::uint64_t minute = 60 * second;
constexpr std::uint64_t hour = 60 * minute;

constexpr std::array<Unit, 7> duration_units{{{"ns", 1},
                                              {"us", microsecond},
                                              {"µs", microsecond},
                                              {"ms", millisecond},
                                              {"s", second},
                                              {"m", minute},
                                              {"h", hour}}};

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t kilo = 1000;

constexpr std::array<Unit, 11> size_units{{{"", 1},
                                           {"b", 1},
                                           {"k", kibi},
                                           {"kib", kibi},
                                           {"kb", kilo},
                                           {"m", kibi* kibi},
                                           {"mib", kibi* kibi},
                                           {"mb", kilo* kilo},
                                           {"g", kibi* kibi* kibi},
                                           {"gib", kibi* kibi* kibi},
                                           {"gb", kilo* kilo* kilo}}};

constexpr std::array<Unit, 4> count_units{
    {{"", 1}, {"k", kilo}, {"m", kilo* kilo}, {"g", kilo* kilo* kilo}}};

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

template <std::size_t size>
const Unit* find_unit(const std::array<Unit, size>& units, std::string_view name, bool any_case) {
  for (const Unit& unit : units) {
    if (any_case ? equal_ignoring_case(unit.name, name) : unit.name == name) return &unit;
  }
  return nullptr;
}

enum class Problem : std::uint8_t { none, malformed, too_large };

// Takes "12" or "1.5" off the front of `text`: `whole` and the fraction in billionths.
Problem take_number(std::string_view& text, std::uint64_t& whole, std::uint64_t& billionths) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + digits, whole);
  if (error == std::errc::result_out_of_range) return Problem::too_large;
  if (digits == 0 || error != std::errc{}) return Problem::malformed;
  text.remove_prefix(digits);
  billionths = 0;
  if (text.empty() || text.front() != '.') return Problem::none;
  text.remove_prefix(1);
  std::uint64_t place = 100'000'000;
  digits = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits, place /= 10) {
    billionths += place * static_cast<std::uint64_t>(text[digits] - '0');
  }
  text.remove_prefix(digits);
  return digits == 0 ? Problem::malformed : Problem::none;
}

// Adds number * factor to `total`, which may reach `limit`. Fractions are rounded down, except
// those of the smallest unit: half a byte is a slip of the pen.
Problem add_scaled(std::uint64_t whole, std::uint64_t billionths, std::uint64_t factor,
                   std::uint64_t limit, std::uint64_t& total) {
  constexpr std::uint64_t billion = 1'000'000'000;
  if (factor == 1 && billionths != 0) return Problem::malformed;
  if (whole > limit / factor) return Problem::too_large;
  // In two parts, so that neither product passes 64 bits.
  const std::uint64_t fraction =
      billionths * (factor / billion) + billionths * (factor % billion) / billion;
  const std::uint64_t value = whole * factor;
  if (value > limit - total || fraction > limit - total - value) return Problem::too_large;
  total += value + fraction;
  return Problem::none;
}

template <std::size_t size>
Problem parse_scaled(std::string_view text, const std::array<Unit, size>& units,
                     std::uint64_t limit, std::uint64_t& total) {
  std::uint64_t whole = 0;
  std::uint64_t billionths = 0;
  total = 0;
  const Problem problem = take_number(text, whole, billionths);
  if (problem != Problem::none) return problem;
  const Unit* unit = find_unit(units, text, true);
  if (unit == nullptr) return Problem::malformed;
  return add_scaled(whole, billionths, unit->factor, limit, total);
}

Problem parse_duration_parts(std::string_view text, std::uint64_t& total) {
  constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
  total = 0;
  if (text == "0") return Problem::none;
  do {
    std::uint64_t whole = 0;
    std::uint64_t billionths = 0;
    Problem problem = take_number(text, whole, billionths);
    if (problem != Problem::none) return problem;
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    const Unit* unit = find_unit(duration_units, text.substr(0, letters), false);
    if (unit == nullptr) return Problem::malformed;
    text.remove_prefix(letters);
    problem = add_scaled(whole, billionths, unit->factor, limit, total);
    if (problem != Problem::none) return problem;
  } while (!text.empty());
  return Problem::none;
}

bool explain(Problem problem, std::string_view text, std::string_view kind, std::string_view advice,
             std::string& message) {
  if (problem == Problem::none) return true;
  message = "'" + std::string(text) + "' is ";
  message += problem == Problem::too_large ? "too large for " : "not ";
  message += std::string(kind) + "; write " + std::string(advice);
  return false;
}

}  // namespace

bool parse_duration(std::string_view text, Duration& duration, std::string& problem) {
  std::uint64_t nanoseconds = 0;
  if (!explain(parse_duration_parts(text, nanoseconds), text, "a duration",
               "a number with a unit, such as 500ms, 10s or 2m", problem)) {
    return false;
  }
  duration = Duration(static_cast<Duration::rep>(nanoseconds));
  return true;
}

bool parse_size(std::string_view text, std::size_t& bytes, std::string& problem) {
  std::uint64_t value = 0;
  if (!explain(parse_scaled(text, size_units, std::numeric_limits<std::size_t>::max(), value), text,
               "a size in bytes", "a number such as 64, 4k, 16KiB or 1M", problem)) {
    return false;
  }
  bytes = static_cast<std::size_t>(value);
  return true;
}

bool parse_count(std::string_view text, std::uint64_t& count, std::string& problem) {
  std::uint64_t value = 0;
  if (!explain(parse_scaled(text, count_units, std::numeric_limits<std::uint64_t>::max(), value),
               text, "a count", "a whole number such as 50 or 10k", problem)) {
    return false;
  }
  count = value;
  return true;
}

std::string format_duration(Duration duration) {
  if (duration < Duration::zero()) return "-" + format_duration(-duration);
  const auto nanoseconds = static_cast<std::uint64_t>(duration.count());
  if (nanoseconds == 0) return "0s";
  if (nanoseconds % hour == 0) return std::to_string(nanoseconds / hour) + "h";
  if (nanoseconds % minute == 0) return std::to_string(nanoseconds / minute) + "m";
  const Unit unit = nanoseconds >= second        ? Unit{"s", second}
                    : nanoseconds >= millisecond ? Unit{"ms", millisecond}
                    : nanoseconds >= microsecond ? Unit{"us", microsecond}
                                                 : Unit{"ns", 1};
  std::string text = std::to_string(nanoseconds / unit.factor);
  if (const std::uint64_t rest = nanoseconds % unit.factor; rest != 0) {
    // The fraction's leading zeros come from adding one whole unit in front and cutting it off.
    std::string fraction = std::to_string(unit.factor + rest).substr(1);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += "." + fraction;
  }
  return text + std::string(unit.name);
}

std::string format_size(std::size_t bytes) {
  static constexpr std::array<std::string_view, 4> names{"B", "KiB", "MiB", "GiB"};
  std::size_t power = 0;
  while (power + 1 < names.size() && bytes != 0 && bytes % kibi == 0) {
    bytes /= kibi;
    ++power;
  }
  return std::to_string(bytes) + std::string(names[power]);
}

}  // namespace tern::tool
