// Bytes and datagrams on POSIX systems that have no call for many datagrams: one call for each.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "backends/socket/one_by_one.hpp"
#include "backends/socket/posix.hpp"

namespace tern::posix {

ssize_t receive(int fd, std::byte* bytes, std::size_t size) {
  const ssize_t received = ::recv(fd, bytes, size, 0);
  return received < 0 ? -errno : received;
}

ssize_t send(int fd, const std::byte* bytes, std::size_t size) {
  const ssize_t sent = ::send(fd, bytes, size, send_flags);
  return sent < 0 ? -errno : sent;
}

ssize_t send_message(int fd, const msghdr& message) {
  const ssize_t sent = ::sendmsg(fd, &message, send_flags);
  return sent < 0 ? -errno : sent;
}

// One that points to itself: "invalid argument" where others refuse.
int connect_error(int errno_value) { return errno_value == EINVAL ? ECONNREFUSED : errno_value; }

struct DatagramBatch::Kernel {
  Address address;
};

DatagramBatch::DatagramBatch(std::size_t datagram_bytes)
    : datagram_bytes_(datagram_bytes),
      datagrams_(datagrams_max),
      // Left unwritten: pages that no datagram reaches are never touched.
      bytes_(new std::byte[datagrams_max * datagram_bytes]),
      kernel_(std::make_unique<Kernel>()) {}

DatagramBatch::~DatagramBatch() = default;

int DatagramBatch::receive(int fd) {
  error_behind_ = 0;
  for (count_ = 0; count_ < datagrams_max; ++count_) {
    std::byte* const room = bytes_.get() + count_ * datagram_bytes_;
    iovec slice{room, datagram_bytes_};
    msghdr header{};
    header.msg_name = kernel_->address.get();
    header.msg_namelen = sizeof(sockaddr_storage);
    header.msg_iov = &slice;
    header.msg_iovlen = 1;
    const ssize_t received = ::recvmsg(fd, &header, 0);
    if (received < 0) {
      if (count_ == 0) return -1;
      // The call that told of it has taken it from the socket.
      if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) error_behind_ = errno;
      break;
    }
    datagrams_[count_].bytes = {room, static_cast<std::size_t>(received)};
    datagrams_[count_].peer = endpoint_from(kernel_->address.storage, header.msg_namelen);
    datagrams_[count_].truncated = (header.msg_flags & MSG_TRUNC) != 0;
  }
  return static_cast<int>(count_);
}

int DatagramBatch::send(int fd, std::span<const Datagram> datagrams) {
  int taken = 0;
  for (const Datagram& datagram : datagrams.first(std::min(datagrams.size(), datagrams_max))) {
    iovec slice{const_cast<std::byte*>(datagram.bytes.data()), datagram.bytes.size()};
    msghdr header{};
    if (datagram.peer.family() != Family::none) {
      kernel_->address = Address(datagram.peer);
      header.msg_name = kernel_->address.get();
      header.msg_namelen = kernel_->address.size;
    }
    header.msg_iov = &slice;
    header.msg_iovlen = 1;
    // An error behind datagrams that were taken is left for the next call, which repeats this one.
    if (::sendmsg(fd, &header, send_flags) < 0) return taken > 0 ? taken : -errno;
    ++taken;
  }
  return taken;
}

}  // namespace tern::posix
