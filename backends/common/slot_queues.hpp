// SlotQueues: which channels of a mechanism that finishes I/O need a look, each listed once: those
// whose orders have changed, before the wait; those with something to tell, in a turn.
//
//   REQUIRES  of Slot: flags `changed`, `queued`, `is()`, `set()`. Taking a channel out clears
//             its flag.
#pragma once

#include <cstddef>
#include <vector>

#include "backends/common/turn_queue.hpp"
#include "backends/poller.hpp"

namespace tern {

template <class Slot>
class SlotQueues {
 protected:
  void change(Slot& slot, Channel channel) {
    if (slot.is(Slot::changed)) return;
    slot.set(Slot::changed);
    changed_.push_back(channel);
  }
  // Something to tell in the next turn; or still in this one.
  void enqueue(Slot& slot, Channel channel) {
    if (slot.is(Slot::queued)) return;
    slot.set(Slot::queued);
    ready_.push(channel);
  }
  void enqueue_now(Slot& slot, Channel channel) {
    if (slot.is(Slot::queued)) return;
    slot.set(Slot::queued);
    ready_.push_now(channel);
  }
  // So that nothing of this needs memory for so many slots: each is in each list once, and once
  // more if it was given to another channel in this turn.
  void reserve(std::size_t slots) {
    changed_.reserve(2 * slots);
    ready_.reserve(2 * slots);
  }

  std::vector<Channel> changed_;  // to be looked at before the wait
  TurnQueue<Channel> ready_;      // with something to tell
};

}  // namespace tern
