// Counters: sums and totals, and the table of them.
#include "tern/counters.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

using tern::Counters;

TEST_CASE("counters: adding adds every number") {
  // All of them are 64 bits wide, so that the sum of each is seen whatever its name.
  static_assert(sizeof(Counters) % sizeof(std::uint64_t) == 0);
  constexpr std::size_t count = sizeof(Counters) / sizeof(std::uint64_t);
  const auto with = [](std::uint64_t first) {
    std::uint64_t numbers[count];
    for (std::size_t i = 0; i < count; ++i) numbers[i] = first + 3 * i;
    Counters counters;
    std::memcpy(static_cast<void*>(&counters), numbers, sizeof counters);
    return counters;
  };
  Counters sum = with(100);
  CHECK(&(sum += with(5000)) == &sum);
  std::uint64_t numbers[count];
  std::memcpy(numbers, static_cast<const void*>(&sum), sizeof sum);
  for (std::size_t i = 0; i < count; ++i) CHECK(numbers[i] == 5100 + 6 * i);
}

TEST_CASE("counters: the total of the closed ones") {
  Counters counters;
  CHECK(counters.closed_total() == 0);
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < tern::close_reason_count; ++i) {
    counters.closed[i] = i + 1;
    expected += i + 1;
  }
  CHECK(counters.closed_total() == expected);
}

TEST_CASE("counters: a row says what it counts, and its name the unit of what is measured") {
  for (const tern::CounterInfo& row : tern::counter_table) {
    const std::string unit(row.unit);
    CAPTURE(std::string(row.name));
    CHECK_FALSE(row.meaning.empty());
    CHECK(row.meaning != row.name);
    if (unit == "bytes" || unit == "datagrams") CHECK(row.name.ends_with("_" + unit));
  }
}
