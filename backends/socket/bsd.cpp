// What FreeBSD, NetBSD and OpenBSD do their own way in POSIX sockets: accept4, MSG_NOSIGNAL,
// keep-alive times, SO_REUSEPORT_LB. Linux has all but the last, and runs on this file, too, where
// the kqueue backend is tested on it.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "backends/socket/one_by_one.hpp"
#include "backends/socket/posix.hpp"

namespace tern::posix {

const int send_flags = MSG_NOSIGNAL;

const KeepAliveNumbers keep_alive_numbers{
#ifdef TCP_KEEPIDLE  // OpenBSD has them for the whole system only
    .idle = {IPPROTO_TCP, TCP_KEEPIDLE},
    .interval = {IPPROTO_TCP, TCP_KEEPINTVL},
    .probes = {IPPROTO_TCP, TCP_KEEPCNT},
#endif
};

// SO_REUSEPORT alone lets many listen and gives all connections to one of them.
const OptionNumber reuse_port_number{
#ifdef SO_REUSEPORT_LB
    SOL_SOCKET,
    SO_REUSEPORT_LB,
#endif
};

int open_socket(int family, int type) {
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int accept_socket(int listener) {
  // Without addresses: one that is gone already may have an empty one.
  return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void bind_address_only(int) {}

}  // namespace tern::posix
