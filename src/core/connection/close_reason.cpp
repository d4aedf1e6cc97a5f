#include "tern/close_reason.hpp"

namespace tern {

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      return "finished";
    case CloseReason::closed_locally:
      return "closed_locally";
    case CloseReason::aborted:
      return "aborted";
    case CloseReason::reset_by_peer:
      return "reset_by_peer";
    case CloseReason::truncated:
      return "truncated";
    case CloseReason::tls_error:
      return "tls_error";
    case CloseReason::handshake_timeout:
      return "handshake_timeout";
    case CloseReason::connect_failed:
      return "connect_failed";
    case CloseReason::idle_timeout:
      return "idle_timeout";
    case CloseReason::output_limit:
      return "output_limit";
    case CloseReason::drain_timeout:
      return "drain_timeout";
    case CloseReason::error:
      return "error";
  }
  return "unknown";
}

}  // namespace tern
