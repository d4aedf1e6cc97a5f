#include "backends/io_uring/sockets.hpp"

#include <chrono>
#include <thread>

namespace tern::io_uring {
namespace {

template <class SetUp>
Socket patiently(const SetUp& set_up, std::error_code& error) {
  using std::chrono::milliseconds;
  Socket socket = set_up(error);
  for (milliseconds pause{5}; error == std::errc::address_in_use && pause < milliseconds{160};
       pause *= 2) {
    std::this_thread::sleep_for(pause);
    error.clear();
    socket = set_up(error);
  }
  return socket;
}

}  // namespace

Socket Sockets::listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error) {
  return patiently(
      [&](std::error_code& failure) { return posix::Sockets::listen(endpoint, options, failure); },
      error);
}

Socket Sockets::datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error) {
  return patiently(
      [&](std::error_code& failure) {
        return posix::Sockets::datagram(local, remote, options, failure);
      },
      error);
}

}  // namespace tern::io_uring
