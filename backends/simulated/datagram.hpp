// DatagramSocket: a queue of received datagrams in the simulated kernel.
//
//   1  The queue holds at most `room_bytes`; what arrives beyond it is lost, as in a kernel.
//   2  A bounce is kept until the next receive or send reports it, once.
#pragma once

#include <deque>
#include <system_error>
#include <vector>

#include "backends/simulated/object.hpp"

namespace tern::simulated {

class DatagramSocket final : public Object, public std::enable_shared_from_this<DatagramSocket> {
 public:
  // The longest that UDP over IPv4 carries.
  static constexpr std::size_t bytes_max = 65'507;

  struct Received {
    std::vector<std::byte> bytes;
    Endpoint peer;
  };

  DatagramSocket(Simulation& simulation_of, Family family_of, const SocketOptions& options)
      : Object(simulation_of, SocketKind::datagram),
        family(family_of),
        room_bytes(options.receive_buffer_bytes.value_or(212'992)) {}

  bool is_connected() const { return peer.family() != Family::none; }
  bool is_readable() const { return bounce || !queue.empty(); }
  // A connected socket hears its peer only.
  bool hears(const Endpoint& from) const { return !is_connected() || peer == from; }
  void arrive(Slice bytes, const Endpoint& from);
  void bounced();
  // The oldest. REQUIRES a queue that is not empty.
  Received take();

  const Family family;
  const std::size_t room_bytes;
  std::deque<Received> queue;
  std::error_code bounce;

 private:
  std::size_t queued_bytes_ = 0;
};

}  // namespace tern::simulated
