// recvfrom and sendto on Linux for any processor, by syscall(). The build chose this folder.
//
//   Not by recv() and send(): those are cancellation points, which costs 30 instructions for each
//   call once a process has a second thread.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace tern::posix {

// The call `number` with (fd, bytes, size, flags, no address). Returns a count or a negative errno.
inline long transfer_call(long number, int fd, const void* bytes, std::size_t size, int flags) {
  const long result = ::syscall(number, fd, bytes, size, flags, nullptr, 0L);
  return result < 0 ? -static_cast<long>(errno) : result;
}

}  // namespace tern::posix
