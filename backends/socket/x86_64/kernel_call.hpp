// recvfrom and sendto on Linux for x86-64, straight into the kernel. The build chose this folder.
//
//   The C library's recv() and send() are cancellation points: once a process has a second thread,
//   each call pays 30 instructions for that, and syscall() pays 20 for shuffling its arguments. All
//   of the rest of an echo in user space is about a hundred.
//   The kernel takes number, arguments 1 to 6 in rax, rdi, rsi, rdx, r10, r8, r9; it destroys rcx
//   and r11, and answers in rax: syscall(2), "Architecture calling conventions".
#pragma once

#include <cstddef>

namespace tern::posix {

// The call `number` with (fd, bytes, size, flags, no address). Returns a count or a negative errno.
inline long transfer_call(long number, int fd, const void* bytes, std::size_t size, int flags) {
  long result = number;
  asm volatile(
      "movl %[flags], %%r10d\n\t"
      "xorl %%r8d, %%r8d\n\t"
      "xorl %%r9d, %%r9d\n\t"
      "syscall"
      : "+a"(result)
      : "D"(static_cast<long>(fd)), "S"(bytes), "d"(size), [flags] "ir"(flags)
      : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
  return result;
}

}  // namespace tern::posix
