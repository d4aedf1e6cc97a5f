// What the world has left: counting its sockets and using up the last one.
#pragma once

#include <cstddef>
#include <optional>

#include "tests/support/descriptors.hpp"

namespace tern::test {

// Sockets that somebody must still close; other descriptors may be counted with them.
std::size_t open_sockets();

// While it lives no further socket can be had: accepting fails with too_many_files_open.
class NoMoreSockets {
 public:
  NoMoreSockets();
  ~NoMoreSockets();
  NoMoreSockets(const NoMoreSockets&) = delete;
  NoMoreSockets& operator=(const NoMoreSockets&) = delete;

 private:
  std::optional<NoMoreDescriptors> kernels_;
  std::size_t network_max_before_ = 0;
};

}  // namespace tern::test
