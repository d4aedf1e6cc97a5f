#include "backends/simulated/datagram.hpp"

#include <utility>

namespace tern::simulated {

void DatagramSocket::arrive(Slice bytes, const Endpoint& from) {
  // A datagram without bytes takes room too, or a flood of them would not be bounded.
  const std::size_t size = bytes.size() + sizeof(Received);
  if (queued_bytes_ + size > room_bytes) return;
  queued_bytes_ += size;
  queue.push_back({{bytes.begin(), bytes.end()}, from});
  changed();
}

void DatagramSocket::bounced() {
  bounce = std::make_error_code(std::errc::connection_refused);
  changed();
}

DatagramSocket::Received DatagramSocket::take() {
  Received received = std::move(queue.front());
  queue.pop_front();
  queued_bytes_ -= received.bytes.size() + sizeof(Received);
  return received;
}

}  // namespace tern::simulated
