// CloseReason: why a connection ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tern/export.hpp"

namespace tern {

// Why a connection ended. The first cause wins; exactly one is reported and counted.
enum class CloseReason : std::uint8_t {
  finished,           // both sides said all they had to say
  closed_locally,     // close() by the protocol; the output before it was delivered to the kernel
  aborted,            // abort() by the protocol: a reset, output discarded
  reset_by_peer,      // the peer vanished: connection_reset, broken_pipe
  truncated,          // TLS: the peer's stream ended without its word that it has said all
  tls_error,          // TLS: refused, or broken by the peer; the error says what
  handshake_timeout,  // TLS: no agreement in time, or given up for others to have their turn
  connect_failed,     // an outbound connection never opened; the error says why
  idle_timeout,       // nothing sent or received for the idle timeout
  output_limit,       // the peer did not read and queued output passed its hard limit
  drain_timeout,      // the server was told to stop and this connection did not end in time
  error,              // any other error of the kernel
};
inline constexpr std::size_t close_reason_count = 12;

// The reason's name as printed in logs and statistics: "idle_timeout", ...
TERN_API std::string_view to_string(CloseReason reason);

}  // namespace tern
