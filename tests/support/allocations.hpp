// What operator new does in the whole program, of any thread. Linked where a test includes this;
// ThreadSanitizer has operator new for itself.
#pragma once

#include <cstddef>

namespace tern::test {

std::size_t allocations();

// While one lives, there is no memory.
class MemoryShortage {
 public:
  MemoryShortage();
  ~MemoryShortage();
  MemoryShortage(const MemoryShortage&) = delete;
  MemoryShortage& operator=(const MemoryShortage&) = delete;
};

}  // namespace tern::test
