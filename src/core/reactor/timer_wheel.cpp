#include "src/core/reactor/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace tern {

TimerWheel::TimerWheel(Time start) : start_(start) {
  for (auto& level : slots_) {
    for (Slot& slot : level) slot.head.next_ = slot.head.previous_ = &slot.head;
  }
}

TimerWheel::~TimerWheel() {
  // Timers may outlive the reactor; they must not stay linked to it.
  for (auto& level : slots_) {
    for (Slot& slot : level) {
      while (!is_empty(slot.head)) remove(*slot.head.next_);
      slot.head.next_ = slot.head.previous_ = nullptr;
    }
  }
}

// The first tick of a slot. Its level's higher digits are those of the present.
std::uint64_t TimerWheel::start_of(unsigned level, unsigned index) const {
  const unsigned shift = level * slot_bits;
  const unsigned above = shift + slot_bits;
  const std::uint64_t high = above >= 64 ? 0 : current_ >> above << above;
  return high | std::uint64_t{index} << shift;
}

// Finds the occupied slot that begins first, if it begins by `until_tick`, and marks it empty.
bool TimerWheel::take_earliest_slot(std::uint64_t until_tick, unsigned& level, unsigned& index) {
  std::uint64_t best = UINT64_MAX;
  for (unsigned each = 0; each < levels; ++each) {
    if (occupied_[each] == 0) continue;
    const auto first = static_cast<unsigned>(std::countr_zero(occupied_[each]));
    const std::uint64_t start = start_of(each, first);
    if (start > until_tick || start >= best) continue;
    best = start;
    level = each;
    index = first;
  }
  if (best == UINT64_MAX) return false;
  occupied_[level] &= ~(std::uint64_t{1} << index);
  current_ = std::max(current_, best);
  return true;
}

void TimerWheel::collect(Slot& slot, Time now, Head& due, Head& later) {
  while (!is_empty(slot.head)) {
    Timer& timer = *slot.head.next_;
    remove(timer);
    link(timer.deadline_ <= now ? due : later, timer);
  }
  slot.least = Time::max();
}

void TimerWheel::find_earliest() {
  earliest_ = Time::max();
  for (unsigned level = 0; level < levels; ++level) {
    while (occupied_[level] != 0) {
      const auto first = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      Slot& slot = slots_[level][first];
      if (!is_empty(slot.head)) {
        earliest_ = std::min(earliest_, slot.least);
        break;
      }
      slot.least = Time::max();  // its timers were all cancelled
      occupied_[level] &= occupied_[level] - 1;
    }
  }
}

std::size_t TimerWheel::fire_due(Time now) {
  if (now < earliest_) return 0;
  Head due;
  Head later;
  due.next_ = due.previous_ = &due;
  later.next_ = later.previous_ = &later;
  const std::uint64_t now_tick = tick_of(now);
  unsigned level = 0;
  unsigned index = 0;
  while (take_earliest_slot(now_tick, level, index)) {
    collect(slots_[level][index], now, due, later);
  }
  current_ = std::max(current_, now_tick);
  while (!is_empty(later)) {
    Timer& timer = *later.next_;
    remove(timer);
    place(timer);
  }
  find_earliest();
  std::size_t fired = 0;
  while (!is_empty(due)) {
    Timer& timer = *due.next_;
    remove(timer);
    timer.fire();
    ++fired;
  }
  due.next_ = due.previous_ = later.next_ = later.previous_ = nullptr;
  return fired;
}

}  // namespace tern
