#include "tools/tern/load/run.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "backends/system/proc_stats.hpp"
#include "tern/process.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/load/worker.hpp"

namespace tern::tool {
namespace {

constexpr auto progress_interval = std::chrono::milliseconds(200);

// Processor time used so far.
struct Reading {
  std::optional<double> server_s;
  std::optional<std::uint64_t> server_switches;
  double loader_s = 0;
};

class LoadRun final : public LoadEvents {
 public:
  explicit LoadRun(const LoadPlan& plan) : plan_(plan), server_(plan.options.server_pid) {}

  LoadOutcome run(const std::function<void(const LoadProgress&)>& show_progress);
  void interrupt();

 private:
  void ready() override { count(ready_); }
  void measuring_began() override;
  void measuring_ended() override;
  void done() override { count(done_); }

  void make_workers();
  // Until all workers are done.
  void lead(const std::function<void(const LoadProgress&)>& show_progress);
  LoadProgress progress() const;
  LoadOutcome collect() const;
  void count(unsigned& counter);
  Reading read() const;

  const LoadPlan& plan_;
  system::ServerProcess server_;

  std::mutex mutex_;  // for all below
  std::condition_variable changed_;
  unsigned ready_ = 0;
  unsigned done_ = 0;
  bool started_ = false;
  bool interrupted_ = false;
  bool measuring_ = false;
  Time measuring_from_{};
  // The span in which any worker measures.
  Reading first_;
  Reading last_;
  // Declared last, destroyed first: they tell us what they do.
  std::vector<std::unique_ptr<LoadWorker>> workers_;
};

void LoadRun::count(unsigned& counter) {
  const std::lock_guard lock(mutex_);
  ++counter;
  changed_.notify_all();
}

Reading LoadRun::read() const {
  Reading reading;
  if (plan_.options.server_pid != 0) {
    reading.server_s = server_.cpu_s();
    reading.server_switches = server_.context_switches();
  }
  reading.loader_s = std::chrono::duration<double>(processor_time()).count();
  return reading;
}

void LoadRun::measuring_began() {
  const std::lock_guard lock(mutex_);
  if (measuring_) return;
  measuring_ = true;
  measuring_from_ = std::chrono::steady_clock::now();
  first_ = last_ = read();
}

void LoadRun::measuring_ended() {
  const std::lock_guard lock(mutex_);
  last_ = read();
}

void LoadRun::interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

void LoadRun::make_workers() {
  try {
    for (unsigned index = 0; index < plan_.options.threads; ++index) {
      workers_.push_back(std::make_unique<LoadWorker>(plan_, index, *this));
    }
    for (const auto& worker : workers_) worker->run_thread();
  } catch (const std::system_error& error) {
    throw unavailable(error);
  }
}

LoadProgress LoadRun::progress() const {
  LoadProgress progress;
  progress.connecting = !started_;
  progress.measuring = measuring_;
  if (measuring_) progress.elapsed = std::chrono::steady_clock::now() - measuring_from_;
  for (const auto& worker : workers_) {
    progress.clients_open += worker->open();
    progress.messages += measuring_ ? worker->messages() : 0;
    progress.errors += worker->errors();
  }
  return progress;
}

void LoadRun::lead(const std::function<void(const LoadProgress&)>& show_progress) {
  bool stopped = false;
  std::unique_lock lock(mutex_);
  while (done_ < workers_.size()) {
    if (interrupted_ && !std::exchange(stopped, true)) {
      for (const auto& worker : workers_) worker->stop();
    }
    if (ready_ == workers_.size() && !started_) {
      started_ = true;
      for (const auto& worker : workers_) worker->start();
    }
    const unsigned events = ready_ + done_ + (interrupted_ ? 1 : 0);
    changed_.wait_for(lock, progress_interval,
                      [&] { return events != ready_ + done_ + (interrupted_ ? 1 : 0); });
    const LoadProgress shown = progress();
    lock.unlock();
    show_progress(shown);
    lock.lock();
  }
}

LoadOutcome LoadRun::collect() const {
  LoadOutcome outcome;
  outcome.interrupted = interrupted_;
  for (const auto& worker : workers_) outcome.result.merge(worker->result());
  LoadResult& result = outcome.result;
  const LoadMeasure& measure = result.measure;
  if (measure.sent > 0 && measure.messages == 0 && !interrupted_) {
    result.errors.add(LoadError::all_lost,
                      fmt::format("{} datagrams were sent, {} bounced, none was answered",
                                  measure.sent, measure.bounced));
  }
  LoadUsage& usage = outcome.usage;
  if (first_.server_s && last_.server_s && *last_.server_s >= *first_.server_s) {
    usage.server_cpu_s = *last_.server_s - *first_.server_s;
    usage.server_resident_bytes = server_.resident_bytes();
    usage.server_processors = server_.processors();
  }
  const auto& switches_before = first_.server_switches;
  const auto& switches_after = last_.server_switches;
  if (switches_before && switches_after && *switches_after >= *switches_before) {
    usage.server_switches = *switches_after - *switches_before;
  }
  usage.loader_cpu_s = last_.loader_s - first_.loader_s;
  const double wall_s = std::chrono::duration<double>(result.elapsed()).count();
  const unsigned processors = std::min(plan_.options.threads, available_processors());
  if (wall_s > 0) usage.loader_share = usage.loader_cpu_s / (wall_s * processors);
  return outcome;
}

LoadOutcome LoadRun::run(const std::function<void(const LoadProgress&)>& show_progress) {
  if (plan_.options.is_open_loop()) system::sharpen_timers();
  make_workers();
  lead(show_progress);
  for (const auto& worker : workers_) worker->join();
  return collect();
}

}  // namespace

LoadInterrupt::LoadInterrupt() {
  signals_.set([this](Signal) { interrupt(); });
}

bool LoadInterrupt::happened() const {
  const std::lock_guard lock(mutex_);
  return happened_;
}

void LoadInterrupt::tell(std::function<void()> stop) {
  const std::lock_guard lock(mutex_);
  stop_ = std::move(stop);
  if (happened_ && stop_ != nullptr) stop_();
}

void LoadInterrupt::interrupt() {
  const std::lock_guard lock(mutex_);
  happened_ = true;
  if (stop_ != nullptr) stop_();
}

LoadOutcome run_load(const LoadPlan& plan, LoadInterrupt& interrupt,
                     const std::function<void(const LoadProgress&)>& show_progress) {
  LoadRun run(plan);
  struct Told {
    ~Told() { interrupt.tell({}); }
    LoadInterrupt& interrupt;
  } const told{interrupt};
  interrupt.tell([&run] { run.interrupt(); });
  return run.run(show_progress);
}

}  // namespace tern::tool
