// The pool: objects that never move, places that are used again.
#include "src/core/reactor/pool.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/case.hpp"

using tern::Pool;
using tern::test::Random;

namespace {

struct Thing {
  explicit Thing(std::string of, int& count) : name(std::move(of)), living(&count) { ++*living; }
  Thing(const Thing&) = delete;
  Thing& operator=(const Thing&) = delete;
  ~Thing() { --*living; }
  std::string name;
  int* living;
  std::uint32_t pool_index = 0;
};

struct Refuses {
  Refuses() { throw 1; }
  std::uint32_t pool_index = 0;
};

}  // namespace

TEST_CASE("pool: makes, finds and destroys, and reuses the place freed last") {
  int living = 0;
  Pool<Thing> pool;
  CHECK(pool.size() == 0);
  Thing& first = pool.make("first", living);
  Thing& second = pool.make("second", living);
  CHECK(pool.size() == 2);
  CHECK(first.name == "first");
  CHECK(first.pool_index != second.pool_index);
  const Thing* const place = &first;
  pool.destroy(first);
  CHECK(living == 1);
  Thing& third = pool.make("third", living);
  CHECK(&third == place);
  pool.destroy(second);
  pool.destroy(third);
  CHECK(pool.size() == 0);
  CHECK(living == 0);
}

TEST_CASE("pool: random making and destroying; nothing moves, everything is visited once") {
  int living = 0;
  Pool<Thing> pool;
  Random random(tern::test::test_seed());
  std::vector<Thing*> things;
  for (int step = 0; step < 20'000; ++step) {
    if (things.empty() || random.below(100) < 55) {
      things.push_back(&pool.make("a name that is too long for the small string", living));
    } else {
      const std::size_t index = random.below(things.size());
      pool.destroy(*things[index]);
      things[index] = things.back();
      things.pop_back();
    }
    REQUIRE(pool.size() == things.size());
    REQUIRE(living == static_cast<int>(things.size()));
    if (step % 1000 != 0) continue;
    std::set<Thing*> visited;
    pool.for_each([&](Thing& thing) { CHECK(visited.insert(&thing).second); });
    CHECK(visited == std::set<Thing*>(things.begin(), things.end()));
  }
  pool.for_each([&](Thing& thing) { pool.destroy(thing); });
  CHECK(pool.size() == 0);
  CHECK(living == 0);
}

TEST_CASE("pool: a visit may make more and destroy what it is given") {
  int living = 0;
  Pool<Thing> pool;
  for (int i = 0; i < 300; ++i) pool.make("old", living);
  int made = 0;
  pool.for_each([&](Thing& thing) {
    if (thing.name == "old" && made < 200) {
      ++made;
      pool.make("new", living);
    }
    pool.destroy(thing);
  });
  pool.for_each([&](Thing& thing) { pool.destroy(thing); });
  CHECK(living == 0);
}

TEST_CASE("pool: a constructor that throws leaves the pool as it was") {
  Pool<Refuses> pool;
  for (int i = 0; i < 100; ++i) CHECK_THROWS_AS(pool.make(), int);
  CHECK(pool.size() == 0);
}
