// What FreeBSD, NetBSD and OpenBSD do their own way in POSIX sockets: accept4, MSG_NOSIGNAL,
// keep-alive times, SO_REUSEPORT_LB. Linux has all but the last, and runs on this file, too, where
// the kqueue backend is tested on it.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "backends/socket/one_by_one.hpp"
#include "backends/socket/posix.hpp"

namespace tern::posix {

const int send_flags = MSG_NOSIGNAL;

int open_socket(int family, int type) {
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int accept_socket(int listener) {
  // Without addresses: one that is gone already may have an empty one.
  return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int set_keep_alive_times(int fd, const KeepAlive& times) {
#ifdef TCP_KEEPIDLE
  const auto set = [fd](int name, std::int64_t value, int most) {
    const int number = static_cast<int>(std::clamp<std::int64_t>(value, 1, most));
    return ::setsockopt(fd, IPPROTO_TCP, name, &number, sizeof number) == 0;
  };
  const bool all = set(TCP_KEEPIDLE, times.idle.count(), 32767) &&
                   set(TCP_KEEPINTVL, times.interval.count(), 32767) &&
                   set(TCP_KEEPCNT, times.probes, 127);
  return all ? 0 : -1;
#else
  // OpenBSD has them for the whole system only.
  (void)fd, (void)times;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

int set_reuse_port(int fd) {
#ifdef SO_REUSEPORT_LB
  const int on = 1;
  return ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT_LB, &on, sizeof on);
#else
  // SO_REUSEPORT alone lets many listen and gives all connections to one of them.
  (void)fd;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

void bind_address_only(int) {}

}  // namespace tern::posix
