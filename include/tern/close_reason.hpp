// CloseReason: why a connection ended.
//
//   The one list of them: what counts, prints or explains reasons goes through it from 0 to
//   close_reason_count. A new reason is an enumerator and its case in info_of(); without the case
//   nothing compiles.
//   A plain value, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tern/export.hpp"

namespace tern {

// The first cause wins; exactly one is reported and counted. What each means is said below.
enum class CloseReason : std::uint8_t {
  finished,
  closed_locally,
  aborted,
  reset_by_peer,
  truncated,
  tls_error,
  handshake_timeout,
  connect_failed,
  idle_timeout,
  output_limit,
  drain_timeout,
  error,
};

struct CloseReasonInfo {
  std::string_view name;  // as printed in logs, statistics and metrics
  std::string_view meaning;
};

// Nothing for what is no reason.
constexpr CloseReasonInfo info_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      return {"finished", "both sides said all they had to say"};
    case CloseReason::closed_locally:
      return {"closed_locally",
              "close() by the protocol; the output before it was delivered to the kernel"};
    case CloseReason::aborted:
      return {"aborted", "abort() by the protocol: a reset, output discarded"};
    case CloseReason::reset_by_peer:
      return {"reset_by_peer", "the peer vanished: connection_reset, broken_pipe"};
    case CloseReason::truncated:
      return {"truncated", "TLS: the peer's stream ended without its word that it has said all"};
    case CloseReason::tls_error:
      return {"tls_error", "TLS: refused, or broken by the peer; the error says what"};
    case CloseReason::handshake_timeout:
      return {"handshake_timeout",
              "TLS: no agreement in time, or given up for others to have their turn"};
    case CloseReason::connect_failed:
      return {"connect_failed", "an outbound connection never opened; the error says why"};
    case CloseReason::idle_timeout:
      return {"idle_timeout", "nothing sent or received for the idle timeout"};
    case CloseReason::output_limit:
      return {"output_limit", "the peer did not read and queued output passed its hard limit"};
    case CloseReason::drain_timeout:
      return {"drain_timeout",
              "the server was told to stop and this connection did not end in time"};
    case CloseReason::error:
      return {"error", "any other error of the kernel"};
  }
  return {};
}

inline constexpr std::size_t close_reason_count = [] {
  std::size_t count = 0;
  while (!info_of(static_cast<CloseReason>(count)).name.empty()) ++count;
  return count;
}();
static_assert(close_reason_count == static_cast<std::size_t>(CloseReason::error) + 1,
              "each reason has its case in info_of(), and `error` is the last");

// The reason's name: "idle_timeout", ...
TERN_API std::string_view to_string(CloseReason reason);

}  // namespace tern
