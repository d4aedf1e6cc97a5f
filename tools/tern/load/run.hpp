// LoadRun: starts the workers, leads them through one run together and collects what they measured.
//
//        main thread          worker threads             signal thread
//        run() ─ start ─────► connecting ... ready
//          ◄──── ready ────────┘                          LoadInterrupt: stop() to each
//              ─ start ─────► warming, measuring ...
//          ◄──── done ─────────┘
//
//   Five times a second the main thread looks at the workers' progress.
#pragma once

#include <functional>
#include <mutex>

#include "tools/tern/cli/signal_router.hpp"
#include "tools/tern/load/plan.hpp"
#include "tools/tern/load/result.hpp"

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

// The first signal ends the run that is under way, and lets no further one begin; the second ends
// the process at once. THREAD: construct before any other exists.
class LoadInterrupt {
 public:
  LoadInterrupt();
  LoadInterrupt(const LoadInterrupt&) = delete;
  LoadInterrupt& operator=(const LoadInterrupt&) = delete;

  bool happened() const;
  // Who is to be told; at once, if it has happened. Empty: nobody any more.
  void tell(std::function<void()> stop);

 private:
  void interrupt();

  mutable std::mutex mutex_;
  bool happened_ = false;
  std::function<void()> stop_;
  SignalRouter signals_;  // last: its thread uses the others
};

// Blocks until the run is over. Throws CommandError: no reactor or thread could be made.
LoadOutcome run_load(const LoadPlan& plan, LoadInterrupt& interrupt,
                     const std::function<void(const LoadProgress&)>& show_progress);

}  // namespace tern::tool
