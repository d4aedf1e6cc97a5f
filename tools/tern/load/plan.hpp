// LoadPlan: the options of a run worked out: where to connect, who does what share.
//
//   Clients are numbered over all workers: first the busy ones, then the idle ones. Client n
//   belongs to worker n % threads. Immutable once made; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tern/endpoint.hpp"
#include "tools/tern/load/options.hpp"

namespace tern::tool {

// The kernel's usual range of local ports has 28,232; a few are left for others.
inline constexpr std::size_t ports_per_source = 28'000;
// Connects that a worker leaves unfinished at once: more would overrun the server's backlog.
inline constexpr std::size_t connects_outstanding_max = 256;

struct LoadPlan {
  LoadOptions options;
  std::vector<Endpoint> targets;    // in the order to be tried; not empty
  std::shared_ptr<TlsContext> tls;  // null: plain

  std::size_t clients() const { return options.connections + options.idle; }
  // Of the clients above, how many worker `worker` drives.
  std::size_t clients_of(unsigned worker) const;
  std::size_t client_number(unsigned worker, std::size_t position) const {
    return worker + position * options.threads;
  }
  bool is_idle(std::size_t client) const { return client >= options.connections; }
  // Messages that a busy client sends in all; with a run by time, without end.
  std::uint64_t share_of(std::size_t client) const;
  // The local address of a client: none (the kernel's choice) for the first 28,000 and for targets
  // other than 127.0.0.0/8, then 127.0.0.2, 127.0.0.3 and so on.
  static Endpoint source_of(std::size_t client, const Endpoint& target);
  // Descriptors that the run needs, our own few included.
  std::uint64_t descriptors_needed() const;
};

// Resolves the target and raises the descriptor limit. Throws CommandError: the host is not known,
// the limit is too low, the server's process does not exist, the JSON file cannot be written.
LoadPlan make_load_plan(const LoadOptions& options);

}  // namespace tern::tool
