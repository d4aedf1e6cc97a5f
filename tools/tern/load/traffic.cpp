#include "tools/tern/load/traffic.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "tools/tern/cli/exit_codes.hpp"

namespace tern::tool {

Limits load_limits(const LoadPlan& plan) {
  Limits limits;
  limits.output_high_bytes = std::numeric_limits<std::size_t>::max() / 2;
  limits.output_low_bytes = limits.output_high_bytes;
  limits.output_bytes_max = limits.output_high_bytes;
  limits.idle_timeout = Duration::zero();
  limits.handshake_timeout = plan.options.timeout;
  return limits;
}

namespace {

// Of a connection that was not open yet: its handshake failed.
bool is_tls_failure(CloseReason reason) {
  return reason == CloseReason::tls_error || reason == CloseReason::truncated ||
         reason == CloseReason::handshake_timeout;
}

}  // namespace

ConnectOptions Traffic::connect_options(std::size_t number) const {
  ConnectOptions options;
  options.deadline = plan_.options.timeout;
  options.source = LoadPlan::source_of(number, targets_.front());
  options.tls = plan_.tls;
  const std::string& name = plan_.options.tls.name;
  options.tls_name = name.empty() ? plan_.options.url.host : name;
  return options;
}

void Traffic::record_opened(const Connection& connection, std::int64_t took_ns) {
  const std::int64_t handshake_ns = connection.handshake_time().count();
  const std::int64_t connect_ns = std::max<std::int64_t>(took_ns - handshake_ns, 0);
  LoadMeasure& measure = result_.measure;
  measure.connect_ns.record(static_cast<std::uint64_t>(connect_ns));
  if (const auto tls = connection.tls()) {
    measure.handshake_ns.record(static_cast<std::uint64_t>(handshake_ns));
    if (tls->resumed) ++measure.handshakes_resumed;
  }
  result_.reached = true;
  failed_in_a_row_ = 0;
  if (targets_.size() > 1) targets_.assign(1, connection.peer());
}

Duration Traffic::check_interval() const {
  return std::clamp<Duration>(plan_.options.timeout / 8, std::chrono::milliseconds(10),
                              std::chrono::seconds(1));
}

bool Traffic::has_failed_to_open(bool is_opening, CloseReason reason,
                                 const std::error_code& error) {
  LoadError kind = LoadError::connect_failed;
  std::string cause = cause_text(reason, error);
  if (reason == CloseReason::connect_failed) {
    if (error == std::errc::connection_refused) kind = LoadError::connect_refused;
    if (error == std::errc::timed_out) kind = LoadError::connect_timed_out;
    cause = describe(error);
  } else if (is_opening && is_tls_failure(reason)) {
    cause = "TLS: " + cause;
  } else {
    return false;
  }
  ++failed_in_a_row_;
  result_.errors.add(kind, fmt::format("connect {}: {}", plan_.options.url.to_string(), cause));
  return true;
}

LoadError Traffic::error_of(CloseReason reason) {
  return reason == CloseReason::reset_by_peer ? LoadError::reset_by_server
                                              : LoadError::connection_failed;
}

std::string Traffic::cause_text(CloseReason reason, const std::error_code& error) {
  return error ? describe(error) : std::string(to_string(reason));
}

std::string Traffic::wrong_byte_text(std::uint64_t offset, std::byte byte,
                                     std::size_t index) const {
  return fmt::format("byte {} of what came back is 0x{:02x}, but 0x{:02x} was sent", offset,
                     std::to_integer<unsigned>(byte),
                     std::to_integer<unsigned>(pattern_.piece(index)[0]));
}

}  // namespace tern::tool
