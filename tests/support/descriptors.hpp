// The process's descriptors: how many are open, and taking all that are left.
// POSIX implementation: descriptors_posix.cpp.
#pragma once

#include <cstddef>
#include <vector>

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
  std::vector<int> taken_;
};

}  // namespace tern::test
