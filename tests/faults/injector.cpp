#include "tests/faults/injector.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstdarg>

namespace tern::faults {
namespace {

struct State {
  std::array<std::size_t, call_count> calls{};
  bool is_armed = false;
  Call call{};
  int errno_value = 0;
  std::size_t first = 0;  // counted down to 1
  std::size_t times = 0;
  std::size_t failures = 0;
};
State state;

bool fails(Call call) {
  ++state.calls[static_cast<std::size_t>(call)];
  if (!state.is_armed || state.call != call || state.times == 0) return false;
  if (state.first > 1) {
    --state.first;
    return false;
  }
  if (state.times != Fault::always) --state.times;
  ++state.failures;
  return true;
}

// What a failed call does: sets errno and returns -1.
int refuse() {
  errno = state.errno_value;
  return -1;
}

}  // namespace

const char* name_of(Call call) {
  constexpr std::array<const char*, call_count> names = {
      "accept4",   "bind",         "close",      "connect", "epoll_create1",
      "epoll_ctl", "epoll_pwait2", "epoll_wait", "eventfd", "getsockopt",
      "listen",    "receive",      "recvmmsg",   "send",    "sendmmsg",
      "sendmsg",   "setsockopt",   "shutdown",   "socket"};
  return names[static_cast<std::size_t>(call)];
}

std::size_t calls_of(Call call) { return state.calls[static_cast<std::size_t>(call)]; }

void count_from_zero() { state.calls = {}; }

Fault::Fault(Call call, int errno_value, std::size_t first, std::size_t times) {
  state.is_armed = true;
  state.call = call;
  state.errno_value = errno_value;
  state.first = first;
  state.times = times;
  state.failures = 0;
}

Fault::~Fault() { state.is_armed = false; }

std::size_t Fault::failures() { return state.failures; }

}  // namespace tern::faults

using tern::faults::Call;
using tern::faults::fails;
using tern::faults::refuse;
using tern::faults::state;

// One wrapper a call. `__real_<call>` is the linker's name for the call itself.
extern "C" {

#define TERN_WRAP(name, parameters, arguments) \
  int __real_##name parameters;                \
  int __wrap_##name parameters { return fails(Call::name) ? refuse() : __real_##name arguments; }

TERN_WRAP(accept4, (int fd, sockaddr* address, socklen_t* size, int flags),
          (fd, address, size, flags))
TERN_WRAP(bind, (int fd, const sockaddr* address, socklen_t size), (fd, address, size))
TERN_WRAP(epoll_create1, (int flags), (flags))
TERN_WRAP(epoll_ctl, (int epoll_fd, int operation, int fd, epoll_event* event),
          (epoll_fd, operation, fd, event))
TERN_WRAP(epoll_pwait2,
          (int epoll_fd, epoll_event* events, int count, const timespec* timeout,
           const sigset_t* mask),
          (epoll_fd, events, count, timeout, mask))
TERN_WRAP(epoll_wait, (int epoll_fd, epoll_event* events, int count, int timeout),
          (epoll_fd, events, count, timeout))
TERN_WRAP(eventfd, (unsigned count, int flags), (count, flags))
TERN_WRAP(getsockopt, (int fd, int level, int name, void* value, socklen_t* size),
          (fd, level, name, value, size))
TERN_WRAP(listen, (int fd, int backlog), (fd, backlog))
TERN_WRAP(recvmmsg, (int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout),
          (fd, messages, count, flags, timeout))
TERN_WRAP(sendmmsg, (int fd, mmsghdr* messages, unsigned count, int flags),
          (fd, messages, count, flags))
TERN_WRAP(setsockopt, (int fd, int level, int name, const void* value, socklen_t size),
          (fd, level, name, value, size))
TERN_WRAP(shutdown, (int fd, int how), (fd, how))
TERN_WRAP(socket, (int domain, int type, int protocol), (domain, type, protocol))

#undef TERN_WRAP

// An interrupted connect goes on by itself (connect(2)), and close() gives the descriptor back
// whatever it says: both make the call and lie about it.
int __real_connect(int fd, const sockaddr* address, socklen_t size);
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  if (!fails(Call::connect)) return __real_connect(fd, address, size);
  if (state.errno_value == EINTR) (void)__real_connect(fd, address, size);
  return refuse();
}

int __real_close(int fd);
int __wrap_close(int fd) {
  const bool is_failure = fails(Call::close);
  const int result = __real_close(fd);
  return is_failure ? refuse() : result;
}

ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
  return fails(Call::sendmsg) ? refuse() : __real_sendmsg(fd, message, flags);
}

// This executable holds the backend with its system calls made by syscall(): two of them.
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  std::va_list list;
  va_start(list, number);
  const int fd = va_arg(list, int);
  void* const bytes = va_arg(list, void*);
  const std::size_t size = va_arg(list, std::size_t);
  const int flags = va_arg(list, int);
  void* const address = va_arg(list, void*);
  const long address_size = va_arg(list, long);
  va_end(list);
  if (number == SYS_recvfrom && fails(Call::receive)) return refuse();
  if (number == SYS_sendto && fails(Call::send)) return refuse();
  return __real_syscall(number, fd, bytes, size, flags, address, address_size);
}

}  // extern "C"
