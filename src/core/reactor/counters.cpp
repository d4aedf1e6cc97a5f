#include "tern/counters.hpp"

#include <numeric>

namespace tern {

std::uint64_t Counters::closed_total() const {
  return std::accumulate(closed.begin(), closed.end(), std::uint64_t{0});
}

Counters& Counters::operator+=(const Counters& other) {
  waits += other.waits;
  empty_waits += other.empty_waits;
  wakes += other.wakes;
  completions += other.completions;
  receive_calls += other.receive_calls;
  send_calls += other.send_calls;
  would_blocks += other.would_blocks;
  received_bytes += other.received_bytes;
  sent_bytes += other.sent_bytes;
  received_datagrams += other.received_datagrams;
  sent_datagrams += other.sent_datagrams;
  turns += other.turns;
  tasks += other.tasks;
  timers += other.timers;
  accepted += other.accepted;
  connected += other.connected;
  refused += other.refused;
  open_connections += other.open_connections;
  handshakes += other.handshakes;
  resumptions += other.resumptions;
  receive_pauses += other.receive_pauses;
  for (std::size_t i = 0; i < close_reason_count; ++i) closed[i] += other.closed[i];
  return *this;
}

}  // namespace tern
