// What macOS does its own way in POSIX sockets: it has no flags for socket() and accept(), an
// option instead of MSG_NOSIGNAL, and another name for TCP_KEEPIDLE.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "backends/socket/one_by_one.hpp"
#include "backends/socket/posix.hpp"

namespace tern::posix {
namespace {

// Non-blocking, closed by exec, silent. Returns the descriptor, or -1 and errno.
int prepared(int fd) {
  if (fd < 0) return -1;
  const int on = 1;
  const bool set = ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
                   ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) == 0;
  if (set) return fd;
  const int errno_value = errno;
  ::close(fd);
  errno = errno_value;
  return -1;
}

}  // namespace

const int send_flags = 0;

int open_socket(int family, int type) { return prepared(::socket(family, type, 0)); }

int accept_socket(int listener) {
  const int accepted = ::accept(listener, nullptr, nullptr);
  if (accepted < 0) return -1;
  const int fd = prepared(accepted);
  // The option is refused so when the client has gone since: that ends nobody but the client.
  if (fd < 0 && errno == EINVAL) errno = ECONNABORTED;
  return fd;
}

int set_keep_alive_times(int fd, const KeepAlive& times) {
  const auto set = [fd](int name, std::int64_t value, int most) {
    const int number = static_cast<int>(std::clamp<std::int64_t>(value, 1, most));
    return ::setsockopt(fd, IPPROTO_TCP, name, &number, sizeof number) == 0;
  };
  const bool all = set(TCP_KEEPALIVE, times.idle.count(), 32767) &&
                   set(TCP_KEEPINTVL, times.interval.count(), 32767) &&
                   set(TCP_KEEPCNT, times.probes, 127);
  return all ? 0 : -1;
}

int set_reuse_port(int) {
  // SO_REUSEPORT lets many listen and gives all connections to one of them.
  errno = EOPNOTSUPP;
  return -1;
}

void bind_address_only(int) {}

}  // namespace tern::posix
