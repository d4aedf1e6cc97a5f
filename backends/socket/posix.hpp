// POSIX sockets: the set-up calls of the contract, address conversion and error mapping.
//
//   What differs between the systems is declared here and defined in one file for each: linux.cpp,
//   bsd.cpp, macos.cpp, the latter two with one_by_one.cpp. The rest is in posix.cpp.
//
// Sources: socket(7), accept(2), recvmmsg(2), getaddrinfo(3), POSIX.1-2017 XSH 2.10.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/common/error_class.hpp"
#include "backends/common/send_datagrams.hpp"
#include "backends/poller.hpp"
#include "backends/socket/options.hpp"

namespace tern::posix {

struct Sockets {
  static constexpr bool resolve_blocks = true;

  static Socket listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error);
  static Socket stream(Family family, const Endpoint& source, const SocketOptions& options,
                       std::error_code& error);
  static Socket datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error);
  static Endpoint local(Socket socket);
  static Endpoint peer(Socket socket);
  static void reset_on_close(Socket socket);
  static void close(Socket socket);
  static void forget(const Endpoint& endpoint);
  static std::vector<Endpoint> resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error);
};

// An errno value in the contract's vocabulary.
std::error_code error_from(int errno_value);

// What it means to a poller. None where it is 0.
ErrorClass classify(int errno_value);

// A kernel address. `size` is what the kernel is told or has told.
struct Address {
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr_storage storage;

  Address() = default;
  explicit Address(const Endpoint& endpoint);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
Endpoint endpoint_from(const sockaddr_storage& storage, socklen_t size);

// A new descriptor, non-blocking and close-on-exec, or -1 and errno.
int open_socket(int family, int type);
// The same for a waiting connection.
int accept_socket(int listener);
// Whether connections wait in the kernel's queue.
bool has_waiting(Socket listener);
// recv() and send() on a non-blocking stream: a count, or a negative errno, so that the way of the
// bytes does not go through memory. A peer that is gone is an error, not a signal.
ssize_t receive(int fd, std::byte* bytes, std::size_t size);
ssize_t send(int fd, const std::byte* bytes, std::size_t size);
// sendmsg() in the same manner.
ssize_t send_message(int fd, const msghdr& message);
// What connect() has refused, in the words of the other systems.
int connect_error(int errno_value);
// What this system calls the times of keep-alive, if a socket can have its own.
struct KeepAliveNumbers {
  OptionNumber idle;
  OptionNumber interval;
  OptionNumber probes;
};
extern const KeepAliveNumbers keep_alive_numbers;
// What asks the kernel to spread connections over the listeners of one port, if it can.
extern const OptionNumber reuse_port_number;
// What any option is called here.
OptionNumber number_of(SocketOption option);
// Defers the choice of a source port to connect(), where that saves ports. Best effort.
void bind_address_only(int fd);

// The room for one batch of received datagrams, allocated once for each poller that needs it.
class DatagramBatch {
 public:
  explicit DatagramBatch(std::size_t datagram_bytes);
  ~DatagramBatch();

  // Receives as many as are there, up to datagrams_max. Returns the count, or -1 and errno.
  int receive(int fd);
  std::span<const Datagram> received() const { return {datagrams_.data(), count_}; }
  // An errno value that came after the received datagrams and will not be told again, or 0.
  int error_behind() const { return error_behind_; }
  // Hands over at most datagrams_max. Returns how many the kernel took, or a negative errno.
  int send(int fd, std::span<const Datagram> datagrams);

 private:
  struct Kernel;  // the system's own structures

  std::size_t datagram_bytes_;
  std::size_t count_ = 0;
  int error_behind_ = 0;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<std::byte[]> bytes_;
  std::unique_ptr<Kernel> kernel_;
};

// Sends through the batch; see tern::send_datagrams.
template <class Tell>
DatagramsTaken send_datagrams(DatagramBatch& batch, int fd, std::span<const Datagram> datagrams,
                              PollerCounters& counters, Tell tell) {
  const auto send = [&](std::span<const Datagram> rest) {
    ++counters.send_calls;
    return batch.send(fd, rest);
  };
  return tern::send_datagrams(datagrams, counters, send, classify, tell);
}

}  // namespace tern::posix
