// A small seeded generator (xoshiro256**, seeded by splitmix64), so that a seed gives the same run
// on every platform, compiler and standard library.
//
//   A setting that is off (a probability of 0, a range of one number) draws nothing, so switching
//   one fault on does not move the choices of the others more than it must.
//
// Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2021.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tern::simulated {

class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
      mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
      word = mixed ^ (mixed >> 31U);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // A number in [0, bound). REQUIRES bound > 0. The bias of the remainder is below one in 2^40 for
  // the bounds used here, and the same everywhere.
  std::uint64_t below(std::uint64_t bound) { return bound == 1 ? 0 : next() % bound; }

  // A number in [low, high]. REQUIRES low <= high.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }

  // True with this probability, 0 to 1.
  bool chance(double probability) {
    if (probability <= 0) return false;
    return static_cast<double>(next() >> 11U) * 0x1.0p-53 < probability;
  }

  template <class Value>
  void shuffle(std::vector<Value>& values) {
    for (std::size_t left = values.size(); left > 1; --left) {
      std::swap(values[left - 1], values[below(left)]);
    }
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace tern::simulated
