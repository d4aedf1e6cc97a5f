// LoadWorker: one thread, one reactor and its share of the clients, through the phases of a run.
//
//     connecting ──► ready ──► warming ──► measuring ──► finishing ──► closing ──► done
//      (own pace)     │  ▲        (timers: the same start for all)        │
//                     │  └─ start(), when all workers are ready           └ answers under way are
//                     └──── stop(): at any time                             awaited, not counted
//
//   OWNERSHIP  The run owns it; the plan and the events must outlive it.
//   THREAD     Constructor, run_thread() and join() on one thread; start() and stop() from any;
//              the progress numbers may be read from any; result() after join().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "tern/reactor.hpp"
#include "tern/timer.hpp"
#include "tools/tern/load/pacer.hpp"
#include "tools/tern/load/plan.hpp"
#include "tools/tern/load/result.hpp"
#include "tools/tern/load/traffic.hpp"

namespace tern::tool {

class LoadWorker;

// What a worker tells the run, on the worker's thread.
class LoadEvents {
 public:
  virtual ~LoadEvents() = default;
  virtual void ready() = 0;            // all its clients are open or have failed
  virtual void measuring_began() = 0;  // its part of the measured span
  virtual void measuring_ended() = 0;
  virtual void done() = 0;  // its sockets are closed, its result is final
};

class LoadWorker {
 public:
  LoadWorker(const LoadPlan& plan, unsigned index, LoadEvents& events);
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  void run_thread();
  void join();
  // Messages begin, with the warm-up; or, when nothing was opened, the worker ends.
  void start();
  // Ends at once; what was measured so far is the result.
  void stop();

  // For the progress line, a tenth of a second old.
  std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
  std::uint64_t open() const { return open_.load(std::memory_order_relaxed); }
  std::uint64_t errors() const { return errors_.load(std::memory_order_relaxed); }

  const LoadResult& result() const { return result_; }

 private:
  enum class Phase : std::uint8_t {
    connecting,
    ready,
    warming,
    measuring,
    finishing,
    closing,
    done
  };

  void begin();
  void start_now();
  void stop_now();
  // Looks at the gauges of the traffic and goes on to the next phase where they allow.
  void advance();
  void open_clients();
  std::size_t clients_due() const;
  void phase_due();
  void tick();
  void measure_from_now();
  void measure_until_now();
  void close_clients();
  void publish();

  const LoadPlan& plan_;
  unsigned index_;
  LoadEvents& events_;
  LoadResult result_;
  // Takes the place of result_.measure once the measured span is over: what is answered after it is
  // verified, but not counted.
  LoadMeasure aside_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<LoadPacer> pacer_;  // null in a closed loop
  CallbackTimer phase_timer_;         // the end of the warm-up, of the run, of our patience
  CallbackTimer check_timer_;
  CallbackTimer ramp_timer_;
  CallbackTimer publish_timer_;
  Time connecting_from_{};
  std::size_t next_client_ = 0;
  Phase phase_ = Phase::connecting;
  bool advancing_ = false;
  bool again_ = false;
  bool measuring_over_ = false;
  std::atomic<std::uint64_t> messages_{0};
  std::atomic<std::uint64_t> open_{0};
  std::atomic<std::uint64_t> errors_{0};
  // Below all that its last callbacks, closed(), may touch.
  Reactor reactor_;
  std::thread thread_;
};

}  // namespace tern::tool
