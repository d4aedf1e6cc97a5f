// What clients send and when they sent it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "support/case.hpp"
#include "tools/tern/load/pattern.hpp"
#include "tools/tern/load/send_times.hpp"

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
    index = pattern.advance(index, piece.size());
  }
  return bytes;
}

TEST_CASE("load pattern: the pieces it is cut into do not matter") {
  const LoadPattern pattern(7, 64);
  constexpr std::size_t count = 3 * LoadPattern::ring_bytes;
  const std::size_t first = pattern.first_index(3);
  const auto whole = sequence(pattern, first, count, LoadPattern::chunk_bytes);
  for (const std::size_t piece : {1U, 64U, 1000U, 65'521U}) {
    CHECK(sequence(pattern, first, count, piece) == whole);
    CHECK(pattern.agreeing(first, sequence(pattern, first, count, piece)) == count);
  }
}

TEST_CASE("load pattern: the first byte that differs is found") {
  const LoadPattern pattern(7, 64);
  const std::size_t first = pattern.first_index(0);
  auto bytes = sequence(pattern, first, 200'000, 4096);
  for (const std::size_t wrong : {199'999U, 131'072U, 65'536U, 65'535U, 64U, 1U, 0U}) {
    bytes[wrong] ^= std::byte{1};
    CHECK(pattern.agreeing(first, bytes) == wrong);
  }
  CHECK(pattern.agreeing(first, {}) == 0);
}

TEST_CASE("load pattern: a message of another place or another client is noticed") {
  for (const std::size_t message : {16U, 64U, 1000U, 2047U, 1'000'003U}) {
    const LoadPattern pattern(1, message);
    REQUIRE_FALSE(pattern.is_shared());
    const std::size_t first = pattern.first_index(5);
    const auto bytes = sequence(pattern, first, message, 4096);
    for (std::size_t skipped = 1; skipped < 1000; ++skipped) {
      const std::size_t elsewhere = pattern.advance(first, skipped * message);
      REQUIRE(pattern.agreeing(elsewhere, bytes) < message);
    }
    for (std::size_t client = 0; client < 5; ++client) {
      CHECK(pattern.agreeing(pattern.first_index(client), bytes) < message);
    }
  }
}

TEST_CASE("load pattern: shared messages are the pieces of one sequence") {
  for (const std::size_t message : {2048U, 2049U, 16'384U, 65'536U}) {
    const LoadPattern pattern(3, message);
    REQUIRE(pattern.is_shared());
    REQUIRE(pattern.period_bytes() == LoadPattern::pieces_count * message);
    const std::size_t first = pattern.first_index(2);
    std::vector<std::byte> stream;
    std::size_t index = first;
    for (std::size_t count = 0; count < 2 * LoadPattern::pieces_count; ++count) {
      const auto bytes = pattern.shared(index).bytes();
      REQUIRE(bytes.size() == message);
      stream.insert(stream.end(), bytes.begin(), bytes.end());
      index = pattern.advance(index, message);
    }
    CHECK(pattern.agreeing(first, stream) == stream.size());
    // Cut anywhere, and with a message missing.
    CHECK(pattern.agreeing(pattern.advance(first, 1000),
                           std::span(stream).subspan(1000, 3 * message)) == 3 * message);
    for (std::size_t lost = 1; lost < LoadPattern::pieces_count; ++lost) {
      CHECK(pattern.agreeing(first, std::span(stream).subspan(lost * message, message)) < message);
    }
    stream[stream.size() - 1] ^= std::byte{4};
    CHECK(pattern.agreeing(first, stream) == stream.size() - 1);
  }
}

TEST_CASE("load pattern: large messages are equal parts, where a few parts are equal") {
  using Pattern = LoadPattern;
  CHECK(Pattern::shared_piece_bytes(0) == 0);
  CHECK(Pattern::shared_piece_bytes(2047) == 0);
  CHECK(Pattern::shared_piece_bytes(2048) == 2048);
  CHECK(Pattern::shared_piece_bytes(65'536) == 65'536);
  CHECK(Pattern::shared_piece_bytes(65'538) == 32'769);
  CHECK(Pattern::shared_piece_bytes(1024 * 1024) == 65'536);
  CHECK(Pattern::shared_piece_bytes(17 * 65'536) == 17 * 65'536 / 32);
  CHECK(Pattern::shared_piece_bytes(1'000'003) == 0);  // a prime
  for (std::size_t message = 2048; message < 3'000'000; message += 1021) {
    const std::size_t piece = Pattern::shared_piece_bytes(message);
    if (piece == 0) continue;
    REQUIRE(piece <= Pattern::chunk_bytes);
    REQUIRE(message % piece == 0);
    REQUIRE(message / piece % Pattern::pieces_count != 0);
  }
}

TEST_CASE("load pattern: the seed makes it, the same each time") {
  for (const std::size_t message : {64U, 4096U}) {
    const LoadPattern pattern(1, message);
    const LoadPattern again(1, message);
    const LoadPattern other(2, message);
    CHECK(pattern.first_index(9) == again.first_index(9));
    CHECK(pattern.agreeing(0, again.piece(0).first(1000)) == 1000);
    CHECK(pattern.agreeing(0, other.piece(0).first(1000)) < 1000);
  }
}

TEST_CASE("load pattern: advancing by any count stays inside the period") {
  for (const std::size_t message : {64U, 4096U}) {
    const LoadPattern pattern(1, message);
    const std::size_t period = pattern.period_bytes();
    CHECK(pattern.advance(0, period) == 0);
    CHECK(pattern.advance(period - 1, 1) == 0);
    CHECK(pattern.advance(5, 3 * period + 2) == 7);
    CHECK(pattern.advance(period - 1, period - 1) == period - 2);
  }
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
