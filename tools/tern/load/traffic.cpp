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

bool is_tls_failure(CloseReason reason) {
  return reason == CloseReason::tls_error || reason == CloseReason::truncated ||
         reason == CloseReason::handshake_timeout;
}

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
}

Duration Traffic::check_interval() const {
  return std::clamp<Duration>(plan_.options.timeout / 8, std::chrono::milliseconds(10),
                              std::chrono::seconds(1));
}

void Traffic::add_connect_error(const std::error_code& error) {
  ++failed_in_a_row_;
  const LoadError kind = error == std::errc::connection_refused ? LoadError::connect_refused
                         : error == std::errc::timed_out        ? LoadError::connect_timed_out
                                                                : LoadError::connect_failed;
  result_.errors.add(kind,
                     fmt::format("connect {}: {}", plan_.options.url.to_string(), describe(error)));
}

void Traffic::add_handshake_error(CloseReason reason, const std::error_code& error) {
  ++failed_in_a_row_;
  const std::string cause = error ? describe(error) : std::string(to_string(reason));
  result_.errors.add(LoadError::connect_failed,
                     fmt::format("connect {}: TLS: {}", plan_.options.url.to_string(), cause));
}

std::string Traffic::wrong_byte_text(std::uint64_t offset, std::byte byte,
                                     std::size_t index) const {
  return fmt::format("byte {} of what came back is 0x{:02x}, but 0x{:02x} was sent", offset,
                     std::to_integer<unsigned>(byte),
                     std::to_integer<unsigned>(pattern_.piece(index)[0]));
}

}  // namespace tern::tool
