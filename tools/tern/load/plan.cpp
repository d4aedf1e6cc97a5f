#include "tools/tern/load/plan.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "backends/system/proc_stats.hpp"
#include "tern/process.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/load/result_file.hpp"

namespace tern::tool {
namespace {

void check_descriptors(const LoadPlan& plan) {
  const std::uint64_t limit = raise_descriptor_limit().now;
  const std::uint64_t needed = plan.descriptors_needed();
  if (limit >= needed) return;
  throw CommandError(
      exit_system,
      fmt::format("{} connections need {} descriptors, but the limit is {}; raise the hard limit "
                  "(ulimit -Hn, as root), or ask for at most {} connections",
                  plan.clients(), needed, limit, limit - std::min(limit, needed - plan.clients())));
}

}  // namespace

std::size_t LoadPlan::clients_of(unsigned worker) const {
  const std::size_t all = clients();
  return worker < all ? (all - worker - 1) / options.threads + 1 : 0;
}

std::uint64_t LoadPlan::share_of(std::size_t client) const {
  if (is_idle(client)) return 1;
  if (!options.by_count()) return std::numeric_limits<std::uint64_t>::max();
  const bool takes_rest = client < options.count % options.connections;
  return options.count / options.connections + (takes_rest ? 1 : 0);
}

Endpoint LoadPlan::source_of(std::size_t client, const Endpoint& target) {
  const std::size_t group = client / ports_per_source;
  if (group == 0 || target.family() != Family::ipv4 || !target.is_loopback()) return {};
  const std::size_t host = 1 + group;
  return Endpoint::ipv4(
      {127, 0, static_cast<std::uint8_t>(host >> 8U), static_cast<std::uint8_t>(host)}, 0);
}

std::uint64_t LoadPlan::descriptors_needed() const {
  // The standard streams, the result file and some to spare; a reactor's own.
  constexpr std::uint64_t of_process = 16;
  constexpr std::uint64_t of_reactor = 4;
  return clients() + of_process + of_reactor * options.threads;
}

LoadPlan make_load_plan(const LoadOptions& options) {
  if (options.server_pid != 0 && !system::ServerProcess(options.server_pid).exists()) {
    throw CommandError(exit_usage,
                       fmt::format("--server-pid {}: there is no such process; give the number "
                                   "that `pgrep` shows for the server",
                                   options.server_pid));
  }
  check_result_file("--json", options.json_path);
  check_result_file("--hdr", options.hdr_path);
  LoadPlan plan{options, {}, {}};
  check_descriptors(plan);
  if (options.url.scheme == Scheme::tls) {
    TlsClientSettings settings = options.tls;
    settings.options.resume = options.resume;
    plan.tls = make_tls(settings);
  }
  plan.targets = resolve_url(options.url);
  return plan;
}

}  // namespace tern::tool
