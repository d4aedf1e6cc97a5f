// The timer wheel: O(1) to arm and cancel, and the earliest deadline without looking at all timers.
//
//   Level 0 has 64 slots of 65.5 us, each level above has 64 slots as wide as the whole level
//   below it. A timer lies in the level in which its deadline first differs from the present, and
//   moves down as the present comes nearer:
//
//      level 0  |.|.|x|.| ... |   65 us a slot   ◄── fires from here
//      level 1  |.|x|.|.| ... |  4.2 ms a slot
//      level 2  |.|.|.|x| ... |  268 ms a slot
//      ...      up to level 7:  every deadline that a Time can hold
//
//   Slots keep the least deadline ever put into them, so that the reactor sleeps until exactly the
//   earliest one instead of waking to move timers down. Cancelling leaves that number as it is: at
//   worst one wake finds nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "tern/timer.hpp"

namespace tern {

class TimerWheel {
 public:
  explicit TimerWheel(Time start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void insert(Timer& timer);
  static void remove(Timer& timer);

  // Not after the earliest deadline; Time::max() when nothing is armed.
  Time earliest() const { return earliest_; }
  // Fires all timers due at `now`, in order of deadline to the width of a slot. Timers armed by
  // them wait for the next call. Returns how many fired.
  std::size_t fire_due(Time now);

 private:
  static constexpr unsigned slot_bits = 6;
  static constexpr unsigned slots_per_level = 1U << slot_bits;
  static constexpr unsigned levels = 8;
  static constexpr unsigned tick_bits = 16;

  // The head of a circular list of timers; only its links are used.
  struct Head final : Timer {
    void fire() override {}
  };
  struct Slot {
    Head head;
    Time least = Time::max();
  };

  std::uint64_t tick_of(Time time) const;
  std::uint64_t start_of(unsigned level, unsigned index) const;
  void place(Timer& timer);
  void collect(Slot& slot, Time now, Head& due, Head& later);
  bool take_earliest_slot(std::uint64_t until_tick, unsigned& level, unsigned& index);
  void find_earliest();
  static void link(Timer& head, Timer& timer);
  static bool is_empty(const Timer& head) { return head.next_ == &head; }

  Time start_;
  Time earliest_ = Time::max();
  std::uint64_t current_ = 0;                     // the tick up to which slots have been emptied
  std::array<std::uint64_t, levels> occupied_{};  // a bit for each slot
  std::array<std::array<Slot, slots_per_level>, levels> slots_;
};

// Setting a timer anew is done for each message of some servers: all of it is in line.

inline std::uint64_t TimerWheel::tick_of(Time time) const {
  if (time <= start_) return 0;
  return static_cast<std::uint64_t>((time - start_).count()) >> tick_bits;
}

inline void TimerWheel::link(Timer& head, Timer& timer) {
  timer.next_ = &head;
  timer.previous_ = head.previous_;
  head.previous_->next_ = &timer;
  head.previous_ = &timer;
}

inline void TimerWheel::remove(Timer& timer) {
  if (timer.next_ == nullptr) return;
  timer.next_->previous_ = timer.previous_;
  timer.previous_->next_ = timer.next_;
  timer.next_ = timer.previous_ = nullptr;
}

inline void TimerWheel::insert(Timer& timer) {
  place(timer);
  earliest_ = std::min(earliest_, timer.deadline_);
}

inline void TimerWheel::place(Timer& timer) {
  // What is overdue goes into the slot that is emptied next.
  const std::uint64_t tick = std::max(tick_of(timer.deadline_), current_);
  const std::uint64_t difference = tick ^ current_;
  const unsigned level =
      difference == 0 ? 0 : (static_cast<unsigned>(std::bit_width(difference)) - 1) / slot_bits;
  const unsigned index = (tick >> (level * slot_bits)) & (slots_per_level - 1);
  Slot& slot = slots_[level][index];
  link(slot.head, timer);
  slot.least = std::min(slot.least, timer.deadline_);
  occupied_[level] |= std::uint64_t{1} << index;
}

}  // namespace tern
