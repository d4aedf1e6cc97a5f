// What Linux does its own way in POSIX sockets: accept4, recvmmsg and sendmmsg, TCP_KEEPIDLE,
// balancing SO_REUSEPORT.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <kernel_call.hpp>

#include "backends/socket/posix.hpp"

namespace tern::posix {

const KeepAliveNumbers keep_alive_numbers{
    .idle = {IPPROTO_TCP, TCP_KEEPIDLE},
    .interval = {IPPROTO_TCP, TCP_KEEPINTVL},
    .probes = {IPPROTO_TCP, TCP_KEEPCNT},
};

const OptionNumber reuse_port_number{SOL_SOCKET, SO_REUSEPORT};

int open_socket(int family, int type) {
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int accept_socket(int listener) {
  return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t receive(int fd, std::byte* bytes, std::size_t size) {
  return transfer_call(SYS_recvfrom, fd, bytes, size, 0);
}

ssize_t send(int fd, const std::byte* bytes, std::size_t size) {
  return transfer_call(SYS_sendto, fd, bytes, size, MSG_NOSIGNAL);
}

ssize_t send_message(int fd, const msghdr& message) {
  const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

int connect_error(int errno_value) { return errno_value; }

void bind_address_only(int fd) {
  const int on = 1;
  // Without it bind() reserves one of 28,000 ports for every destination at once; before Linux 4.2
  // it is simply that way.
  (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
}

struct DatagramBatch::Kernel {
  std::array<mmsghdr, datagrams_max> messages{};
  std::array<iovec, datagrams_max> slices{};
  std::array<Address, datagrams_max> addresses{};
};

DatagramBatch::DatagramBatch(std::size_t datagram_bytes)
    : datagram_bytes_(datagram_bytes),
      datagrams_(datagrams_max),
      // Left unwritten: pages that no datagram reaches are never touched.
      bytes_(new std::byte[datagrams_max * datagram_bytes]),
      kernel_(std::make_unique<Kernel>()) {}

DatagramBatch::~DatagramBatch() = default;

int DatagramBatch::receive(int fd) {
  for (std::size_t i = 0; i < datagrams_max; ++i) {
    kernel_->slices[i] = {bytes_.get() + i * datagram_bytes_, datagram_bytes_};
    msghdr& header = kernel_->messages[i].msg_hdr;
    header = {};
    header.msg_name = kernel_->addresses[i].get();
    header.msg_namelen = sizeof(sockaddr_storage);
    header.msg_iov = &kernel_->slices[i];
    header.msg_iovlen = 1;
  }
  count_ = 0;
  const int received = ::recvmmsg(fd, kernel_->messages.data(), datagrams_max, 0, nullptr);
  if (received <= 0) return received;
  count_ = static_cast<std::size_t>(received);
  for (std::size_t i = 0; i < count_; ++i) {
    const mmsghdr& message = kernel_->messages[i];
    datagrams_[i].bytes = {bytes_.get() + i * datagram_bytes_, message.msg_len};
    datagrams_[i].peer = endpoint_from(kernel_->addresses[i].storage, message.msg_hdr.msg_namelen);
    datagrams_[i].truncated = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  return received;
}

int DatagramBatch::send(int fd, std::span<const Datagram> datagrams) {
  const std::size_t count = std::min(datagrams.size(), datagrams_max);
  for (std::size_t i = 0; i < count; ++i) {
    const Datagram& datagram = datagrams[i];
    kernel_->slices[i] = {const_cast<std::byte*>(datagram.bytes.data()), datagram.bytes.size()};
    msghdr& header = kernel_->messages[i].msg_hdr;
    header = {};
    if (datagram.peer.family() != Family::none) {
      kernel_->addresses[i] = Address(datagram.peer);
      header.msg_name = kernel_->addresses[i].get();
      header.msg_namelen = kernel_->addresses[i].size;
    }
    header.msg_iov = &kernel_->slices[i];
    header.msg_iovlen = 1;
  }
  const int taken =
      ::sendmmsg(fd, kernel_->messages.data(), static_cast<unsigned>(count), MSG_NOSIGNAL);
  return taken >= 0 ? taken : -errno;
}

}  // namespace tern::posix
