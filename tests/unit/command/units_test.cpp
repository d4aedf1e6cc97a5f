// Durations, sizes and counts as users write them on the command line.
#include "tools/tern/cli/units.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using tern::Duration;
using tern::tool::format_duration;
using tern::tool::format_size;
using tern::tool::parse_count;
using tern::tool::parse_duration;
using tern::tool::parse_size;

namespace {

Duration duration(std::string_view text) {
  Duration value{-1};
  std::string problem;
  REQUIRE_MESSAGE(parse_duration(text, value, problem), problem);
  return value;
}

std::size_t size(std::string_view text) {
  std::size_t value = 0;
  std::string problem;
  REQUIRE_MESSAGE(parse_size(text, value, problem), problem);
  return value;
}

std::uint64_t count(std::string_view text) {
  std::uint64_t value = 0;
  std::string problem;
  REQUIRE_MESSAGE(parse_count(text, value, problem), problem);
  return value;
}

}  // namespace

TEST_CASE("units: durations carry their unit") {
  CHECK(duration("0") == 0ns);
  CHECK(duration("0s") == 0ns);
  CHECK(duration("7ns") == 7ns);
  CHECK(duration("250us") == 250us);
  CHECK(duration("250µs") == 250us);
  CHECK(duration("500ms") == 500ms);
  CHECK(duration("10s") == 10s);
  CHECK(duration("1.5s") == 1500ms);
  CHECK(duration("0.001s") == 1ms);
  CHECK(duration("2m") == 2min);
  CHECK(duration("1h30m") == 90min);
  CHECK(duration("1m0.5s") == 60500ms);
}

TEST_CASE("units: a bad duration changes nothing and says what would be right") {
  for (const char* text : {"", "5", "s", "-1s", "+1s", "1 s", " 1s", "1s ", "1.s", ".5s", "1S",
                           "1d", "10sec", "0.5ns", "1s-1s", "1e3s", "0x1s"}) {
    CAPTURE(text);
    Duration value = 3s;
    std::string problem;
    CHECK_FALSE(parse_duration(text, value, problem));
    CHECK(value == 3s);
    CHECK(problem ==
          "'" + std::string(text) +
              "' is not a duration; write a number with a unit, such as 500ms, 10s or 2m");
  }
}

TEST_CASE("units: a duration that the type cannot hold is refused") {
  for (const char* text : {"9223372037s", "99999999999999999999s", "9223372036s1h", "2562048h"}) {
    CAPTURE(text);
    Duration value = 3s;
    std::string problem;
    CHECK_FALSE(parse_duration(text, value, problem));
    CHECK(value == 3s);
    CHECK(problem.find("is too large for a duration") != std::string::npos);
  }
  CHECK(duration("9223372036854775807ns") == Duration::max());
}

TEST_CASE("units: sizes know powers of 1024 and of 1000") {
  CHECK(size("0") == 0);
  CHECK(size("64") == 64);
  CHECK(size("64B") == 64);
  CHECK(size("4k") == 4096);
  CHECK(size("4K") == 4096);
  CHECK(size("16KiB") == 16384);
  CHECK(size("16kB") == 16000);
  CHECK(size("1M") == 1048576);
  CHECK(size("1MB") == 1000000);
  CHECK(size("1.5k") == 1536);
  CHECK(size("2GiB") == 2147483648U);
  std::size_t value = 9;
  std::string problem;
  for (const char* text : {"", "k", "-1", "1.5", "4 k", "4q", "0x10", "1e3", "16KiBs"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_size(text, value, problem));
    CHECK(problem == "'" + std::string(text) +
                         "' is not a size in bytes; write a number such as 64, 4k, 16KiB or 1M");
  }
  CHECK_FALSE(parse_size("99999999999G", value, problem));
  CHECK(problem.find("too large") != std::string::npos);
  CHECK(value == 9);
}

TEST_CASE("units: counts are powers of 1000") {
  CHECK(count("0") == 0);
  CHECK(count("50") == 50);
  CHECK(count("10k") == 10000);
  CHECK(count("1.5M") == 1500000);
  std::uint64_t value = 9;
  std::string problem;
  for (const char* text : {"", "k", "-1", "1.5", "10KiB", "ten"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_count(text, value, problem));
    CHECK(problem ==
          "'" + std::string(text) + "' is not a count; write a whole number such as 50 or 10k");
  }
  CHECK(value == 9);
}

TEST_CASE("units: what is printed is read back as the same value") {
  CHECK(format_duration(500ms) == "500ms");
  CHECK(format_duration(10s) == "10s");
  CHECK(format_duration(1500ms) == "1.5s");
  CHECK(format_duration(1001us) == "1.001ms");
  CHECK(format_duration(2min) == "2m");
  CHECK(format_duration(90min) == "90m");
  CHECK(format_duration(0s) == "0s");
  for (const Duration value : {Duration(1), Duration(999'999'999), Duration(1'000'000'007),
                               Duration(61s), Duration(3h), Duration::max()}) {
    CHECK(duration(format_duration(value)) == value);
  }
  CHECK(format_size(64) == "64B");
  CHECK(format_size(256 * 1024) == "256KiB");
  CHECK(format_size(65537) == "65537B");
  CHECK(format_size(3UL << 30) == "3GiB");
}
