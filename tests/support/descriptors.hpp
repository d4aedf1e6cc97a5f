// The process's descriptors: how many are open, and a limit that makes the next one fail.
// POSIX implementation: descriptors_posix.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern::test {

// Counts by looking; opens nothing that stays.
std::size_t open_descriptors();

// While it lives, no further descriptor can be had: the kernel answers "too many files open".
class NoMoreDescriptors {
 public:
  NoMoreDescriptors();
  ~NoMoreDescriptors();
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

 private:
  std::uint64_t soft_limit_before_ = 0;
};

}  // namespace tern::test
