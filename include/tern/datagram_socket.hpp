// DatagramSocket: UDP with peer addresses, received and sent in batches where the kernel has it.
//
//   OWNERSHIP  A DatagramSocket belongs to its reactor, like a connection: made by open(), it dies
//              after DatagramProtocol::closed() returns.
//   THREAD     The reactor's only.
//   ERRORS     open() throws std::system_error (`bind udp://...: address in use`). A bounced send
//              (ICMP port unreachable) and an oversized datagram are told to failed(); the socket
//              lives on. Datagrams the kernel has no room for are dropped and counted, as the
//              network would.
//   Sources: udp(7), recvmmsg(2), RFC 768, RFC 1122 4.1.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "tern/datagram.hpp"
#include "tern/endpoint.hpp"
#include "tern/export.hpp"
#include "tern/reactor.hpp"
#include "tern/socket_options.hpp"

namespace tern {

class DatagramSocket;

// Told what happens to datagram sockets; the same rules as for Protocol.
class TERN_API DatagramProtocol {
 public:
  virtual ~DatagramProtocol();

  // At least one datagram; bytes are valid until the callback returns.
  virtual void received(DatagramSocket& socket, std::span<const Datagram> datagrams) = 0;
  // One datagram could not be sent, or a sent one bounced. Default: nothing.
  virtual void failed(DatagramSocket& socket, const std::error_code& error);
  // The last call. Default: nothing.
  virtual void closed(DatagramSocket& socket);
};

class TERN_API DatagramSocket {
 public:
  // The largest payload of one UDP datagram over IPv4 (65,535 less 28 bytes of headers).
  static constexpr std::size_t payload_bytes_max = 65'507;

  // Bound to `local` (Family::none: any port of `remote`'s family). With `remote` the socket is
  // connected: only that peer is heard, and bounced sends are told.
  static DatagramSocket& open(Reactor& reactor, DatagramProtocol& protocol, const Endpoint& local,
                              const Endpoint& remote = {}, const SocketOptions& options = {});

  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;

  // Sends the whole batch now, in order, with as few system calls as the kernel allows. Returns how
  // many the kernel took; the rest is dropped and counted in dropped().
  std::size_t send(std::span<const Datagram> datagrams);
  std::size_t send(std::span<const std::byte> bytes, const Endpoint& peer = {});

  // Stops and restarts the delivery of datagrams.
  void pause();
  void resume();
  void close();

  Endpoint local() const;
  Reactor& reactor() const;
  // Datagrams that found no room in the kernel's send buffer.
  std::uint64_t dropped() const { return dropped_; }

  // The protocol's own.
  void* user_data = nullptr;

 protected:
  DatagramSocket(Reactor::Core& core, DatagramProtocol& protocol)
      : core_(&core), protocol_(&protocol) {}
  ~DatagramSocket() = default;

  Reactor::Core* core_;
  DatagramProtocol* protocol_;
  std::uint64_t dropped_ = 0;
};

}  // namespace tern
