// An endless byte sequence that can be written and checked from any position, so that a stream of
// any length is verified byte by byte without being kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tern::test {

class Pattern {
 public:
  explicit Pattern(std::uint64_t seed) : seed_(seed) {}

  std::byte at(std::uint64_t position) const {
    return static_cast<std::byte>(word(position / 8) >> (8 * (position % 8)));
  }

  // Writes the sequence from `position` on.
  void fill(std::uint64_t position, std::span<std::byte> bytes) const {
    visit(position, bytes.size(), [&](std::size_t index, std::byte value) {
      bytes[index] = value;
      return true;
    });
  }

  std::string text(std::uint64_t position, std::size_t count) const {
    std::string bytes(count, '\0');
    fill(position, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  // Whether `bytes` are the sequence from `position` on.
  bool matches(std::uint64_t position, std::span<const std::byte> bytes) const {
    return visit(position, bytes.size(),
                 [&](std::size_t index, std::byte value) { return bytes[index] == value; });
  }

 private:
  std::uint64_t word(std::uint64_t index) const {
    std::uint64_t mixed = (index + seed_ * 0x632be59bd9b4e019U) * 0x9e3779b97f4a7c15U;
    mixed ^= mixed >> 29U;
    mixed *= 0xbf58476d1ce4e5b9U;
    return mixed ^ (mixed >> 32U);
  }

  template <class Visitor>
  bool visit(std::uint64_t position, std::size_t count, Visitor&& visitor) const {
    std::uint64_t current = 0;
    for (std::size_t index = 0; index < count; ++index, ++position) {
      if (index == 0 || position % 8 == 0) current = word(position / 8);
      if (!visitor(index, static_cast<std::byte>(current >> (8 * (position % 8))))) return false;
    }
    return true;
  }

  std::uint64_t seed_;
};

}  // namespace tern::test
