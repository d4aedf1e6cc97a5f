// What macOS does its own way in POSIX sockets: it has no flags for socket() and accept(), an
// option instead of MSG_NOSIGNAL, and another name for TCP_KEEPIDLE.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

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

const KeepAliveNumbers keep_alive_numbers{
    .idle = {IPPROTO_TCP, TCP_KEEPALIVE},
    .interval = {IPPROTO_TCP, TCP_KEEPINTVL},
    .probes = {IPPROTO_TCP, TCP_KEEPCNT},
};

// None: SO_REUSEPORT lets many listen and gives all connections to one of them.
const OptionNumber reuse_port_number{};

int open_socket(int family, int type) { return prepared(::socket(family, type, 0)); }

int accept_socket(int listener) {
  const int accepted = ::accept(listener, nullptr, nullptr);
  if (accepted < 0) return -1;
  const int fd = prepared(accepted);
  // The option is refused so when the client has gone since: that ends nobody but the client.
  if (fd < 0 && errno == EINVAL) errno = ECONNABORTED;
  return fd;
}

void bind_address_only(int) {}

}  // namespace tern::posix
