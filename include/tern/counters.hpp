// What a reactor has done since it was made. Plain numbers that only grow.
//
//   THREAD  written and read on the reactor's thread; Server::counters() collects them safely.
//   Rates are differences of two readings. Tests use these numbers to catch spinning.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tern/close_reason.hpp"
#include "tern/export.hpp"

namespace tern {

// Counted by the poller.
struct PollerCounters {
  std::uint64_t waits = 0;          // calls into the kernel to wait
  std::uint64_t empty_waits = 0;    // of those, the ones that brought nothing, not even a wake
  std::uint64_t wakes = 0;          // waits ended by another thread
  std::uint64_t completions = 0;    // handed out by next()
  std::uint64_t receive_calls = 0;  // attempts to receive, would-blocks included
  std::uint64_t send_calls = 0;     // attempts to send, would-blocks included
  std::uint64_t would_blocks = 0;   // receives, sends and accepts that found nothing to do
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_datagrams = 0;
  std::uint64_t sent_datagrams = 0;
};

struct Counters : PollerCounters {
  std::uint64_t turns = 0;
  std::uint64_t tasks = 0;             // posted tasks run
  std::uint64_t timers = 0;            // timers fired
  std::uint64_t accepted = 0;          // connections taken by listeners
  std::uint64_t connected = 0;         // outbound connections opened
  std::uint64_t refused = 0;           // turned away: connection limit, or the kernel had no room
  std::uint64_t open_connections = 0;  // a gauge: connections now alive
  std::uint64_t handshakes = 0;        // TLS handshakes that succeeded
  std::uint64_t resumptions = 0;       // of those, the ones that resumed a session
  std::uint64_t receive_pauses = 0;    // times a full output queue stopped its connection's input
  std::array<std::uint64_t, close_reason_count> closed{};  // by CloseReason

  TERN_API std::uint64_t closed_total() const;
  // Adds another reactor's numbers.
  TERN_API Counters& operator+=(const Counters& other);
};

}  // namespace tern
