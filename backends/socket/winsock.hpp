// Windows sockets: the set-up calls of the contract, address conversion and error mapping.
//
//   Winsock has to be started before its first call and ended after the last one; one object in
//   winsock.cpp does both, and everything that may be first asks it.
//
// Sources: Microsoft's Winsock reference (socket, bind, getaddrinfo, SO_EXCLUSIVEADDRUSE, error
// codes).
#pragma once

#include <winsock2.h>
#include <ws2tcpip.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/poller.hpp"
#include "backends/socket/winsock_errors.hpp"

namespace tern::winsock {

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
  // There are no sockets by path, so there is nothing to remove.
  static void forget(const Endpoint&) {}
  static std::vector<Endpoint> resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error);
};

// A Winsock or system error in the contract's vocabulary.
std::error_code error_from(int code);

inline SOCKET handle_of(Socket socket) { return static_cast<SOCKET>(socket.handle); }

// A kernel address. `size` is what the kernel is told or has told.
struct Address {
  int size = sizeof(sockaddr_storage);
  sockaddr_storage storage;

  Address() = default;
  explicit Address(const Endpoint& endpoint);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
Endpoint endpoint_from(const sockaddr_storage& storage);

// The address that leaves both the port and the interface to the system.
Endpoint wildcard(Family family);

// A new socket: overlapped, non-blocking, not inherited by child processes. INVALID_SOCKET and
// WSAGetLastError() on failure.
SOCKET open_socket(Family family, int type);

// Whether connections wait in the kernel's queue, which nobody has accepted.
bool has_waiting(Socket listener);

// Whether every socket provider of this machine hands out real file handles. A layered provider
// that does not makes FILE_SKIP_COMPLETION_PORT_ON_SUCCESS lose or repeat completions.
bool providers_are_plain();

// The room for one batch of received datagrams, allocated once for each poller that needs it.
class DatagramBatch {
 public:
  explicit DatagramBatch(std::size_t datagram_bytes);

  // Receives as many as are there, up to datagrams_max, without waiting. Returns what ended the
  // batch: 0 (it is full), WSAEWOULDBLOCK (that was all), or an error behind what was received.
  int receive(SOCKET handle);
  std::span<const Datagram> received() const { return {datagrams_.data(), count_}; }

 private:
  std::size_t datagram_bytes_;
  std::size_t count_ = 0;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<std::byte[]> bytes_;
};

// Sends one datagram without waiting. Returns 0 or an error.
int send_datagram(SOCKET handle, const Datagram& datagram);

}  // namespace tern::winsock
