// LoadRun: starts the workers, leads them through one run together and collects what they measured.
//
//        main thread          worker threads             signal thread
//        run() ─ start ─────► connecting ... ready
//          ◄──── ready ────────┘                          SIGINT: stop() to each; a second one
//              ─ start ─────► warming, measuring ...      ends the process at once
//          ◄──── done ─────────┘
//
//   Five times a second the main thread looks at the workers' progress.
#pragma once

#include <functional>

#include "tools/load_plan.hpp"
#include "tools/load_result.hpp"

namespace tern::tool {

// Where a run is, for the line on the terminal.
struct LoadProgress {
  bool connecting = true;
  bool measuring = false;          // else, when not connecting: the warm-up, or the end
  std::uint64_t clients_open = 0;  // while connecting
  std::uint64_t messages = 0;      // since measuring began
  std::uint64_t errors = 0;
  Duration elapsed = Duration::zero();  // since measuring began
};

struct LoadOutcome {
  LoadResult result;
  LoadUsage usage;
  bool interrupted = false;
};

// Blocks until the run is over. Throws CommandError: no reactor or thread could be made.
LoadOutcome run_load(const LoadPlan& plan,
                     const std::function<void(const LoadProgress&)>& show_progress);

}  // namespace tern::tool
