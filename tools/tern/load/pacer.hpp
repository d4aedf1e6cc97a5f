// LoadPacer: hands the messages of an open-loop run to the traffic when they are due.
//
//   A message that falls due is begun whatever is still unanswered, and it carries the time it was
//   planned for: a server that stalls is asked as often as before, and the wait shows in the
//   latency of every message that was due meanwhile. (Measured from the actual send it would show
//   in one message a connection: coordinated omission.)
//
//   Sleeps until the next one is due, with the resolution of the reactor's timers; all that are due
//   in one turn are begun in it, at most `burst_max`.
//
//   OWNERSHIP  Reactor and traffic must outlive it.   THREAD  The worker's.
#pragma once

#include <cstdint>

#include "tern/reactor.hpp"
#include "tern/timer.hpp"
#include "tools/tern/load/schedule.hpp"
#include "tools/tern/load/traffic.hpp"

namespace tern::tool {

class LoadPacer {
 public:
  LoadPacer(Reactor& reactor, Traffic& traffic, LoadResult& result, const ArrivalSchedule& schedule)
      : reactor_(reactor), traffic_(traffic), result_(result), schedule_(schedule), timer_([this] {
          due();
        }) {}

  void start(std::int64_t from_ns) {
    schedule_.start(from_ns);
    arm();
  }
  void stop() { timer_.cancel(); }

 private:
  static constexpr int burst_max = 1024;

  void arm() { timer_.arm(reactor_, Time(Duration(schedule_.due_ns()))); }
  void due() {
    const std::int64_t now_ns = clock_ns();
    for (int begun = 0; begun < burst_max && schedule_.due_ns() <= now_ns; ++begun) {
      // Nobody is left who could send: the run ends by itself.
      if (!traffic_.begin_planned(schedule_.due_ns(), now_ns)) return;
      result_.measure.lateness_ns.record(static_cast<std::uint64_t>(now_ns - schedule_.due_ns()));
      schedule_.advance();
    }
    arm();
  }

  Reactor& reactor_;
  Traffic& traffic_;
  LoadResult& result_;
  ArrivalSchedule schedule_;
  CallbackTimer timer_;
};

}  // namespace tern::tool
