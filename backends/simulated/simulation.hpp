// Simulation: what all objects of a simulated network share: the virtual clock with its agenda, the
// seeded choices, the fault settings and the transcript.
//
//   THREAD  one thread.
//   1  Time stands still while code runs; advance() is the only thing that moves it, and it never
//      passes an entry of the agenda.
//   2  Entries of one time run in the order in which they were made.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <utility>
#include <vector>

#include "backends/simulated/faults.hpp"
#include "backends/simulated/random.hpp"
#include "tern/time.hpp"

namespace tern::simulated {

// Ends the program with one line when a caller breaks the contract. In every build, because this
// backend exists to find such callers.
void require(bool condition, const char* what);

class Simulation {
 public:
  using Action = std::function<void()>;

  Simulation(std::uint64_t seed, const Faults& settings, Style style);

  Random random;
  Faults faults;

  Time now() const { return now_; }
  bool completes() const { return completes_; }

  // Puts an action on the agenda, not before now.
  void at(Time time, Action action);
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }
  // When the next entry of the agenda is due; Time::max() when it is empty.
  Time next_event() const { return agenda_.empty() ? Time::max() : agenda_.front().time; }
  std::size_t events() const { return agenda_.size(); }
  // Moves the clock to `time`, or to the next entry if that comes first, and runs what is due.
  void advance(Time time);
  // Lets a time pass, with everything that is due in it.
  void pass(Duration duration);

  // One way through the network.
  Duration latency();

  // Adds words to the transcript. Two runs with one transcript made the same calls and saw the same
  // completions at the same times.
  void record(std::initializer_list<std::uint64_t> words);
  std::uint64_t transcript() const { return transcript_; }

 private:
  struct Entry {
    Time time;
    std::uint64_t order;
    Action action;
  };
  static bool later(const Entry& left, const Entry& right) {
    return left.time != right.time ? left.time > right.time : left.order > right.order;
  }

  // Not the clock's zero, so that a difference of times has room below.
  Time now_{std::chrono::hours(1)};
  bool completes_;
  std::vector<Entry> agenda_;  // a heap, the earliest in front
  std::uint64_t orders_ = 0;
  std::uint64_t transcript_ = 0xcbf29ce484222325U;
};

}  // namespace tern::simulated
