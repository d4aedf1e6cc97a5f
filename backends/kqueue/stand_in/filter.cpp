// The filters of the stand-in. The rules are those of FreeBSD's sockets, as kqueue(2) tells them
// and with what it leaves out:
//
//   - A stream that was never connected fires no filter. Linux calls it hung up and writable.
//   - The urgent byte is not counted as input, but what lies behind it is. Linux counts up to it.
//   - EV_EOF of the write filter comes of our own shutdown as well as of the peer's reset.
//
// One thing Linux cannot give: the pending error that EV_EOF carries in `fflags`, because asking
// for it takes it away from the socket. So `fflags` says ECONNRESET for any error; programs must
// ask the socket, which is right on every system.
#include "backends/kqueue/stand_in/filter.hpp"

#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "backends/kqueue/stand_in/sys/event.h"

namespace tern::stand_in {
namespace {

int socket_number(int fd, int level, int name, int otherwise) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : otherwise;
}

bool tcp_state(int fd, tcp_info& info) {
  socklen_t size = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
}

int events_of(int fd, short asked) {
  pollfd entry{fd, asked, 0};
  return ::poll(&entry, 1, 0) < 0 ? 0 : entry.revents;
}

int waiting_bytes(int fd) {
  int count = 0;
  return ::ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}

// Linux counts up to the urgent byte, unless that is to be received among the others.
int bytes_around_the_urgent_one(int fd) {
  const int on = 1;
  const int off = 0;
  if (::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) != 0) return waiting_bytes(fd);
  const int count = waiting_bytes(fd);
  (void)::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &off, sizeof off);
  return std::max(count - 1, 0);
}

// Never connected, or on the way: hung up for output, but with an open way in.
bool is_unconnected(const Watched& watched, int events) {
  return watched.kind == Kind::stream && (events & POLLHUP) != 0 && (events & POLLRDHUP) == 0;
}

bool has_ended_output(int fd, int events) {
  if ((events & (POLLHUP | POLLERR)) != 0) return true;
  tcp_info info{};
  if (!tcp_state(fd, info)) return false;
  switch (info.tcpi_state) {
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
    case TCP_TIME_WAIT:
      return true;
    default:
      return false;
  }
}

void mark_end(Finding& finding, int events) {
  finding.fires = true;
  finding.flags |= EV_EOF;
  if ((events & POLLERR) != 0) finding.fflags = ECONNRESET;
}

}  // namespace

bool Watched::look(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return false;
  fd = descriptor;
  device = status.st_dev;
  inode = status.st_ino;
  kind = Kind::other;
  if (!S_ISSOCK(status.st_mode)) return true;
  if (socket_number(fd, SOL_SOCKET, SO_TYPE, SOCK_STREAM) != SOCK_STREAM) {
    kind = Kind::datagram;
  } else {
    const bool listens = socket_number(fd, SOL_SOCKET, SO_ACCEPTCONN, 0) != 0;
    kind = listens ? Kind::listener : Kind::stream;
  }
  return true;
}

bool Watched::is_still_there() const {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

Finding look_at_input(const Watched& watched, std::int64_t low_water) {
  const int events = events_of(watched.fd, POLLIN | POLLRDHUP | POLLPRI);
  Finding finding;
  if (is_unconnected(watched, events)) return finding;
  const bool has_input = (events & POLLIN) != 0;
  switch (watched.kind) {
    case Kind::listener: {
      tcp_info info{};
      finding.data = has_input && tcp_state(watched.fd, info) ? info.tcpi_unacked : 0;
      if (has_input) finding.data = std::max<std::int64_t>(finding.data, 1);
      finding.fires = has_input;
      return finding;
    }
    case Kind::datagram:
      // An empty datagram is input, too.
      finding.data = waiting_bytes(watched.fd);
      finding.fires = has_input || (events & POLLERR) != 0;
      return finding;
    case Kind::stream:
      finding.data = (events & POLLPRI) != 0 ? bytes_around_the_urgent_one(watched.fd)
                                             : waiting_bytes(watched.fd);
      if (low_water < 0) low_water = socket_number(watched.fd, SOL_SOCKET, SO_RCVLOWAT, 1);
      if ((events & POLLRDHUP) != 0) mark_end(finding, events);
      break;
    case Kind::other:
      finding.data = waiting_bytes(watched.fd);
      if ((events & POLLHUP) != 0) mark_end(finding, events);
      break;
  }
  if (finding.data >= std::max<std::int64_t>(low_water, 1)) finding.fires = true;
  return finding;
}

Finding look_at_output(const Watched& watched, std::int64_t low_water) {
  const int events = events_of(watched.fd, POLLOUT | POLLRDHUP);
  Finding finding;
  if (watched.kind == Kind::listener || is_unconnected(watched, events)) return finding;
  int unsent = 0;
  if (::ioctl(watched.fd, SIOCOUTQ, &unsent) != 0) unsent = 0;
  const int room = socket_number(watched.fd, SOL_SOCKET, SO_SNDBUF, PIPE_BUF) - unsent;
  finding.data = std::max(room, 0);
  finding.fires = low_water < 0 ? (events & POLLOUT) != 0 : finding.data >= low_water;
  const bool ends = watched.kind == Kind::stream
                        ? has_ended_output(watched.fd, events)
                        : watched.kind == Kind::other && (events & POLLERR) != 0;
  if (ends) mark_end(finding, events);
  return finding;
}

}  // namespace tern::stand_in
