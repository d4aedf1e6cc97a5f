// Sockets: the POSIX set-up calls, with patience for a predecessor.
//
//   A process that is killed leaves its ring to the kernel, which takes it apart in the background;
//   until then, some milliseconds, what is under way in it holds the sockets, and with them their
//   addresses. Whoever is started again at once would find the address in use.
#pragma once

#include "backends/socket/posix.hpp"

namespace tern::io_uring {

struct Sockets : posix::Sockets {
  // As in posix::Sockets, but an address in use is tried again for about 150 ms.
  static Socket listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error);
  static Socket datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error);
};

}  // namespace tern::io_uring
