// LoadPattern: the endless byte sequence that clients send and expect back.
//
//   One period of random bytes, shared by all clients of a worker; each client starts at a place of
//   its own, so that bytes of another connection are noticed. Sending is taking a piece of it, and
//   checking is comparing memory. There are two layouts:
//
//   ring      The period is a prime: no message size divides it, so a message lost, repeated or
//             swapped with another is noticed. Behind it its beginning is repeated, so that any
//             piece up to chunk_bytes is contiguous: many small messages are one piece.
//
//        ┌──────────── period ────────────┬─ chunk_bytes ─┐
//        │ 7f 3a 91 ...                   │ 7f 3a 91 ...  │
//        └────────────────────────────────┴───────────────┘
//             ▲ index of client 1   ▲ index of client 2
//
//   pieces    For messages of 2 KiB and more: shared buffers of up to 64 KiB, each a whole message
//             or an equal part of one, so that sending copies nothing.
//
//        ┌ piece 0 ┐ ┌ piece 1 ┐ ... ┌ piece 16 ┐   the period is their sum
//
//   THREAD  One worker's: the shared buffers count their references, and would make threads wait
//           for each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "tern/shared_buffer.hpp"

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
  static constexpr std::size_t ring_bytes = 65'521;
  static constexpr std::size_t chunk_bytes = 65'536;
  static constexpr std::size_t shared_bytes_min = 2048;
  static constexpr std::size_t pieces_count = 17;

  // For messages of this size; 0: always a ring.
  LoadPattern(std::uint64_t seed, std::size_t message_bytes)
      : seed_(seed),
        piece_bytes_(shared_piece_bytes(message_bytes)),
        period_bytes_(is_shared() ? pieces_count * piece_bytes_ : ring_bytes),
        ring_(period_bytes_) {
    for (std::size_t index = 0; index < period_bytes_; ++index) {
      ring_[index] = static_cast<std::byte>(mixed(seed + index));
    }
    if (is_shared()) {
      cut_pieces();
    } else {
      ring_.resize(ring_bytes + chunk_bytes);
      for (std::size_t index = ring_bytes; index < ring_.size(); ++index) {
        ring_[index] = ring_[index - ring_bytes];
      }
    }
  }

  // The size of the shared buffers for such messages; 0: a ring is better.
  static constexpr std::size_t shared_piece_bytes(std::size_t message_bytes) {
    if (message_bytes < shared_bytes_min) return 0;
    const std::size_t fewest = (message_bytes + chunk_bytes - 1) / chunk_bytes;
    for (std::size_t parts = fewest; parts < 2 * fewest + 16; ++parts) {
      // Never a whole number of periods: a message that is lost would not be noticed.
      if (message_bytes % parts == 0 && parts % pieces_count != 0) return message_bytes / parts;
    }
    return 0;
  }

  // Whether to send shared(), or bytes() of a ring.
  bool is_shared() const { return piece_bytes_ != 0; }
  std::size_t period_bytes() const { return period_bytes_; }

  // Where the sequence of a client begins.
  std::size_t first_index(std::uint64_t client) const {
    const std::uint64_t random = mixed(mixed(seed_) ^ client);
    return is_shared() ? static_cast<std::size_t>(random % pieces_count) * piece_bytes_
                       : static_cast<std::size_t>(random % period_bytes_);
  }
  // `count` bytes further on.
  std::size_t advance(std::size_t index, std::size_t count) const {
    if (count >= period_bytes_) [[unlikely]]
      count %= period_bytes_;
    index += count;
    return index >= period_bytes_ ? index - period_bytes_ : index;
  }
  // REQUIRES not is_shared(), index < period_bytes(), count <= chunk_bytes.
  std::span<const std::byte> bytes(std::size_t index, std::size_t count) const {
    return {ring_.data() + index, count};
  }
  // REQUIRES is_shared(), and index the beginning of a piece.
  const SharedBuffer& shared(std::size_t index) const { return pieces_[index / piece_bytes_]; }

  // What is expected from `index` on, as far as it lies in one piece; at least one byte.
  std::span<const std::byte> piece(std::size_t index) const {
    if (!is_shared()) return {ring_.data() + index, chunk_bytes};
    return pieces_[index / piece_bytes_].bytes().subspan(index % piece_bytes_);
  }
  // How many of `bytes` agree with the sequence from `index` on, before the first that does not.
  std::size_t agreeing(std::size_t index, std::span<const std::byte> bytes) const {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const std::span<const std::byte> expected = piece(index);
      const std::size_t count = std::min(bytes.size() - done, expected.size());
      if (std::memcmp(expected.data(), bytes.data() + done, count) != 0) {
        const auto differing =
            std::mismatch(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(count),
                          bytes.begin() + static_cast<std::ptrdiff_t>(done));
        return done + static_cast<std::size_t>(differing.first - expected.begin());
      }
      done += count;
      index = advance(index, count);
    }
    return done;
  }

 private:
  void cut_pieces() {
    for (std::size_t index = 0; index < period_bytes_; index += piece_bytes_) {
      pieces_.push_back(SharedBuffer::copy_of(std::span(ring_).subspan(index, piece_bytes_)));
    }
    ring_ = {};
  }

  std::uint64_t seed_;
  std::size_t piece_bytes_;  // 0 with a ring
  std::size_t period_bytes_;
  std::vector<std::byte> ring_;
  std::vector<SharedBuffer> pieces_;
};

}  // namespace tern::tool
