// Echo (RFC 862): whatever comes is sent back, in order, on streams and on datagram sockets.
//
//   Pure: no socket, no state. One object serves all connections of a reactor.
//   A peer that does not read stops its own input at Limits::output_high_bytes; a peer that
//   half-closes gets the rest of its bytes and then the end.
//   Datagrams go back to whom they came from. The source address of UDP can be forged, so two echo
//   servers can be set against each other: do not offer UDP echo to an open network.
#pragma once

#include "tern/connection.hpp"
#include "tern/datagram_socket.hpp"

namespace tern::tool {

class Echo final : public Protocol {
 public:
  void received(Connection& connection, std::span<const std::byte> bytes) override;
  void ended(Connection& connection) override;
};

class DatagramEcho final : public DatagramProtocol {
 public:
  void received(DatagramSocket& socket, std::span<const Datagram> datagrams) override;
};

}  // namespace tern::tool
