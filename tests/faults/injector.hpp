// Injector: system calls of the epoll backend that fail on order.
//
// The linker hands each listed call of this executable to `__wrap_<call>` (injector.cpp), which
// asks here whether this is the one that fails, and otherwise makes the call. The backend does not
// know.
//
//   THREAD  one thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern::faults {

// The wrapped calls. `receive` and `send` are recvfrom and sendto made through syscall().
enum class Call : std::uint8_t {
  accept4,
  bind,
  close,
  connect,
  epoll_create1,
  epoll_ctl,
  epoll_pwait2,
  epoll_wait,
  eventfd,
  getsockopt,
  listen,
  receive,
  recvmmsg,
  send,
  sendmmsg,
  sendmsg,
  setsockopt,
  shutdown,
  socket,
};
inline constexpr std::size_t call_count = 19;

const char* name_of(Call call);

// Calls of each kind since the last count_from_zero().
std::size_t calls_of(Call call);
void count_from_zero();

// While it lives, `times` calls fail with `errno_value`: the `first`-th from now, counted from 1,
// and those after it. One at a time.
class Fault {
 public:
  static constexpr std::size_t always = SIZE_MAX;

  Fault(Call call, int errno_value, std::size_t first = 1, std::size_t times = 1);
  ~Fault();
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  // How many calls have failed.
  static std::size_t failures();
};

}  // namespace tern::faults
