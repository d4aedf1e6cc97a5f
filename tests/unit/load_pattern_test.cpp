// What clients send and when they sent it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "support/case.hpp"
#include "tools/load_pattern.hpp"
#include "tools/load_send_times.hpp"

namespace {

using tern::test::Random;
using tern::tool::LoadPattern;
using tern::tool::SendTimes;

// The sequence from `index` on, taken in pieces as a client takes it.
std::vector<std::byte> sequence(const LoadPattern& pattern, std::size_t index, std::size_t count,
                                std::size_t piece_bytes) {
  std::vector<std::byte> bytes;
  while (bytes.size() < count) {
    const auto piece = pattern.bytes(index, std::min(piece_bytes, count - bytes.size()));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    index = LoadPattern::advance(index, piece.size());
  }
  return bytes;
}

TEST_CASE("load pattern: the pieces it is cut into do not matter") {
  const LoadPattern pattern(7);
  constexpr std::size_t count = 3 * LoadPattern::period_bytes;
  const std::size_t first = pattern.first_index(3);
  const auto whole = sequence(pattern, first, count, LoadPattern::chunk_bytes);
  for (const std::size_t piece : {1U, 64U, 1000U, 65'521U}) {
    CHECK(sequence(pattern, first, count, piece) == whole);
    CHECK(pattern.agreeing(first, sequence(pattern, first, count, piece)) == count);
  }
}

TEST_CASE("load pattern: the first byte that differs is found") {
  const LoadPattern pattern(7);
  const std::size_t first = pattern.first_index(0);
  auto bytes = sequence(pattern, first, 200'000, 4096);
  for (const std::size_t wrong : {199'999U, 131'072U, 65'536U, 65'535U, 64U, 1U, 0U}) {
    bytes[wrong] ^= std::byte{1};
    CHECK(pattern.agreeing(first, bytes) == wrong);
  }
  CHECK(pattern.agreeing(first, {}) == 0);
}

TEST_CASE("load pattern: a message of another place or another client is noticed") {
  const LoadPattern pattern(1);
  for (const std::size_t message : {16U, 64U, 4096U, 16'384U}) {
    const std::size_t first = pattern.first_index(5);
    const auto bytes = sequence(pattern, first, message, message);
    for (std::size_t skipped = 1; skipped < 1000; ++skipped) {
      const std::size_t elsewhere = LoadPattern::advance(first, skipped * message);
      REQUIRE(pattern.agreeing(elsewhere, bytes) < message);
    }
    for (std::size_t client = 0; client < 5; ++client) {
      CHECK(pattern.agreeing(pattern.first_index(client), bytes) < message);
    }
  }
}

TEST_CASE("load pattern: the seed makes it, the same each time") {
  const LoadPattern pattern(1);
  const LoadPattern again(1);
  const LoadPattern other(2);
  CHECK(pattern.first_index(9) == again.first_index(9));
  CHECK(pattern.agreeing(0, again.bytes(0, 1000)) == 1000);
  CHECK(pattern.agreeing(0, other.bytes(0, 1000)) < 1000);
}

TEST_CASE("load pattern: advancing by any count stays inside the period") {
  CHECK(LoadPattern::advance(0, LoadPattern::period_bytes) == 0);
  CHECK(LoadPattern::advance(LoadPattern::period_bytes - 1, 1) == 0);
  CHECK(LoadPattern::advance(5, 3 * LoadPattern::period_bytes + 2) == 7);
  CHECK(LoadPattern::advance(LoadPattern::period_bytes - 1, LoadPattern::period_bytes - 1) ==
        LoadPattern::period_bytes - 2);
}

TEST_CASE("send times: answers find the time of their own message, whatever the batches") {
  Random random(tern::test::test_seed());
  SendTimes times;
  std::deque<std::int64_t> expected;
  std::int64_t now_ns = 0;
  for (int step = 0; step < 10'000; ++step) {
    ++now_ns;
    if (expected.size() < 100 && random.one_in(2)) {
      const std::size_t messages = 1 + random.below(20);
      times.push(now_ns, messages);
      expected.insert(expected.end(), messages, now_ns);
    } else if (!expected.empty()) {
      std::size_t left = 1 + random.below(expected.size());
      while (left > 0) {
        REQUIRE_FALSE(times.empty());
        const SendTimes::Run run = times.take(left);
        REQUIRE(run.messages > 0);
        REQUIRE(run.messages <= left);
        for (std::uint64_t message = 0; message < run.messages; ++message) {
          REQUIRE(expected.front() == run.time_ns);
          expected.pop_front();
        }
        left -= run.messages;
      }
    }
    REQUIRE(times.empty() == expected.empty());
  }
}

}  // namespace
