// LoadPattern: the endless byte sequence that clients send and expect back.
//
//   One period of random bytes, shared by all clients of a worker; each client starts at a place of
//   its own, so that bytes of another connection are noticed. The period is a prime: no message
//   size divides it, so a message lost, repeated or swapped with another is noticed, too.
//   Behind the period its beginning is repeated, so that any span up to chunk_bytes is contiguous:
//   sending is taking a span, and checking is comparing memory.
//
//        ┌──────────── period ────────────┬─ chunk_bytes ─┐
//        │ 7f 3a 91 ...                   │ 7f 3a 91 ...  │
//        └────────────────────────────────┴───────────────┘
//             ▲ index of client 1   ▲ index of client 2
//
//   THREAD  immutable after construction; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace tern::tool {

// A small seeded generator (splitmix64): the same numbers on every standard library.
inline std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

class LoadPattern {
 public:
  static constexpr std::size_t period_bytes = 65'521;
  static constexpr std::size_t chunk_bytes = 65'536;

  explicit LoadPattern(std::uint64_t seed) : seed_(seed), bytes_(period_bytes + chunk_bytes) {
    for (std::size_t index = 0; index < period_bytes; ++index) {
      bytes_[index] = static_cast<std::byte>(mixed(seed + index));
    }
    for (std::size_t index = period_bytes; index < bytes_.size(); ++index) {
      bytes_[index] = bytes_[index - period_bytes];
    }
  }

  // Where the sequence of a client begins.
  std::size_t first_index(std::uint64_t client) const {
    return static_cast<std::size_t>(mixed(mixed(seed_) ^ client) % period_bytes);
  }
  // `count` bytes further on.
  static std::size_t advance(std::size_t index, std::size_t count) {
    if (count >= period_bytes) [[unlikely]]
      count %= period_bytes;
    index += count;
    return index >= period_bytes ? index - period_bytes : index;
  }
  // REQUIRES index < period_bytes, count <= chunk_bytes.
  std::span<const std::byte> bytes(std::size_t index, std::size_t count) const {
    return {bytes_.data() + index, count};
  }
  // How many of `bytes` agree with the sequence from `index` on, before the first that does not.
  std::size_t agreeing(std::size_t index, std::span<const std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::size_t count = std::min(bytes.size() - done, chunk_bytes);
      const std::byte* expected = bytes_.data() + index;
      if (std::memcmp(expected, bytes.data() + done, count) != 0) {
        const auto differing = std::mismatch(expected, expected + count, bytes.data() + done);
        return done + static_cast<std::size_t>(differing.first - expected);
      }
      done += count;
      index = advance(index, count);
    }
    return done;
  }

 private:
  std::uint64_t seed_;
  std::vector<std::byte> bytes_;
};

}  // namespace tern::tool
