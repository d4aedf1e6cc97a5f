// Faults: how unkind a simulated network is. Plain values; Network::faults() may be changed at any
// time and takes effect from the next call.
//
//   Probabilities are 0 to 1 and are drawn once for each call or message that they concern.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "tern/time.hpp"

namespace tern::simulated {

// What kind of kernel the pollers of a network imitate.
enum class Style : std::uint8_t {
  any,         // one of the two, by the seed
  readiness,   // like epoll: send() takes what there is room for, sends_later() is false
  completion,  // like IOCP and io_uring: send() takes part or nothing at once and reads the slices
               // when it completes, sends_later() is true
};

struct Faults {
  // How long a segment, a datagram or an answer is under way, one way. Streams keep their order,
  // datagrams overtake each other where the two differ.
  Duration latency_min{0};
  Duration latency_max{0};

  // Streams.
  double partial_send = 0;        // a send takes less than there is room for
  double partial_receive = 0;     // a receive brings less than there is
  double reset = 0;               // a send breaks the connection: both ends are reset
  double spurious_send = 0;       // an unfinished send is told "try again" while there is no room
  double connect_error = 0;       // a connect fails: refused, timed out, unreachable
  Duration connect_delay_max{0};  // on top of the latency

  // The poller.
  double late_completion = 0;  // what has finished is reported later, up to late_completion_max
  Duration late_completion_max = std::chrono::milliseconds(1);
  double early_return = 0;         // a wait returns at once with nothing
  double attach_error = 0;         // attach fails: out of memory or of watches
  bool shuffles_channels = false;  // the completions of a turn come in any order between channels

  // Accepting. An exhausted listener is tried again after accept_retry, when a connection arrives
  // and when a socket of the network is closed.
  double accept_error = 0;  // EMFILE, ENFILE, ENOBUFS, ENOMEM or ECONNABORTED
  Duration accept_retry = std::chrono::milliseconds(100);
  std::size_t sockets_max = SIZE_MAX;  // open at once on the network; beyond it EMFILE

  // Datagrams.
  double datagram_loss = 0;
  double datagram_duplicate = 0;
  double datagram_bounce = 0;     // a connected socket hears connection_refused of a datagram
  double datagram_try_again = 0;  // a send_to takes fewer than it was offered

  // Where a socket's own options say nothing.
  std::size_t send_buffer_bytes = 256 * 1024;
  std::size_t receive_window_bytes = 256 * 1024;

  // A quiet loopback: everything arrives at once, in one piece.
  static Faults none() { return {}; }
  // All of it, often, and small buffers.
  static Faults rough();
};

}  // namespace tern::simulated
