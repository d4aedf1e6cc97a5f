// The search for the highest rate, against servers that are a number.
#include "tools/tern/load/search.hpp"

#include <doctest/doctest.h>

namespace {

using tern::tool::RateSearch;

TEST_CASE("rate search: within 5 % below the limit, in few tries") {
  for (const std::uint64_t limit : {1U, 2U, 7U, 999U, 1000U, 1001U, 54'321U, 7'654'321U}) {
    CAPTURE(limit);
    RateSearch search(1000, 100'000'000);
    int probes = 0;
    while (!search.over()) {
      search.tried(search.next() <= limit);
      ++probes;
    }
    CHECK(search.best() <= limit);
    CHECK(static_cast<double>(search.best()) >= static_cast<double>(limit) / 1.06 - 1);
    CHECK(search.found_limit());
    CHECK(probes <= 22);
  }
}

TEST_CASE("rate search: a server without a limit ends it at the largest rate") {
  RateSearch search(1000, 100'000);
  while (!search.over()) search.tried(true);
  CHECK(search.best() == 100'000);
  CHECK_FALSE(search.found_limit());
}

TEST_CASE("rate search: one that never holds ends it with nothing") {
  RateSearch search(1000, 100'000);
  while (!search.over()) search.tried(false);
  CHECK(search.best() == 0);
}

}  // namespace
