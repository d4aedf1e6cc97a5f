// What a reactor has done since it was made, in plain numbers.
//
//   The table below is the one list of them: adding up, `tern echo --stats` and /metrics go through
//   it. A new number is a member and its row; without the row nothing compiles.
//   Rates are differences of two readings. Tests use these numbers to catch spinning.
//
//   THREAD  written and read on the reactor's thread; Server::counters() collects them safely.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tern/close_reason.hpp"
#include "tern/export.hpp"

namespace tern {

// Counted by the poller. What each means is said in the table.
struct PollerCounters {
  std::uint64_t waits = 0;
  std::uint64_t empty_waits = 0;
  std::uint64_t wakes = 0;
  std::uint64_t completions = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t send_calls = 0;
  std::uint64_t would_blocks = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_datagrams = 0;
  std::uint64_t sent_datagrams = 0;
};

struct Counters : PollerCounters {
  std::uint64_t turns = 0;
  std::uint64_t tasks = 0;
  std::uint64_t timers = 0;
  std::uint64_t accepted = 0;
  std::uint64_t connected = 0;
  std::uint64_t refused = 0;
  std::uint64_t open_connections = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t resumptions = 0;
  std::uint64_t receive_pauses = 0;
  std::array<std::uint64_t, close_reason_count> closed{};  // by CloseReason

  TERN_API std::uint64_t closed_total() const;
  // Adds another reactor's numbers.
  TERN_API Counters& operator+=(const Counters& other);
};

// A counter only grows; a gauge is what is so now.
enum class CounterKind : std::uint8_t { counter, gauge };

struct CounterInfo {
  std::string_view name;  // as printed: in statistics, and in metrics behind `tern_`
  std::uint64_t Counters::*member;
  CounterKind kind;
  std::string_view unit;
  std::string_view meaning;
};

// Every number but those by reason, in the order in which they are printed.
inline constexpr std::array counter_table = std::to_array<CounterInfo>({
    {"connections", &Counters::open_connections, CounterKind::gauge, "connections",
     "connections now alive"},
    {"turns", &Counters::turns, CounterKind::counter, "turns", "turns of the loops"},
    {"waits", &Counters::waits, CounterKind::counter, "calls", "calls into the kernel to wait"},
    {"empty_waits", &Counters::empty_waits, CounterKind::counter, "calls",
     "of the waits, those that brought nothing, not even a wake"},
    {"wakes", &Counters::wakes, CounterKind::counter, "calls", "waits ended by another thread"},
    {"completions", &Counters::completions, CounterKind::counter, "completions",
     "finished operations that the kernel's mechanism has handed out"},
    {"receive_calls", &Counters::receive_calls, CounterKind::counter, "calls",
     "attempts to receive, would-blocks included"},
    {"send_calls", &Counters::send_calls, CounterKind::counter, "calls",
     "attempts to send, would-blocks included"},
    {"would_blocks", &Counters::would_blocks, CounterKind::counter, "calls",
     "receives, sends and accepts that found nothing to do"},
    {"received_bytes", &Counters::received_bytes, CounterKind::counter, "bytes", "bytes received"},
    {"sent_bytes", &Counters::sent_bytes, CounterKind::counter, "bytes", "bytes sent"},
    {"received_datagrams", &Counters::received_datagrams, CounterKind::counter, "datagrams",
     "datagrams received"},
    {"sent_datagrams", &Counters::sent_datagrams, CounterKind::counter, "datagrams",
     "datagrams sent"},
    {"tasks", &Counters::tasks, CounterKind::counter, "tasks", "posted tasks run"},
    {"timers", &Counters::timers, CounterKind::counter, "timers", "timers fired"},
    {"accepted", &Counters::accepted, CounterKind::counter, "connections",
     "connections taken by listeners"},
    {"connected", &Counters::connected, CounterKind::counter, "connections",
     "outbound connections opened"},
    {"refused", &Counters::refused, CounterKind::counter, "connections",
     "connections turned away: at the limit, or the kernel had no room"},
    {"handshakes", &Counters::handshakes, CounterKind::counter, "handshakes",
     "TLS handshakes that succeeded"},
    {"resumptions", &Counters::resumptions, CounterKind::counter, "handshakes",
     "of the handshakes, those that resumed a session"},
    {"receive_pauses", &Counters::receive_pauses, CounterKind::counter, "pauses",
     "times a full output queue stopped its connection's input"},
});

// As many rows as there are members, and none twice: so each member has its row.
static_assert(sizeof(Counters) ==
              (counter_table.size() + close_reason_count) * sizeof(std::uint64_t));
static_assert([] {
  for (const CounterInfo& row : counter_table) {
    std::size_t rows_alike = 0;
    for (const CounterInfo& other : counter_table) {
      if (other.member == row.member || other.name == row.name) ++rows_alike;
    }
    if (rows_alike != 1) return false;
  }
  return true;
}());

}  // namespace tern
