// CompletionQueue: what a poller knows without the kernel, and next() tells all the same, since no
// call calls back.
#pragma once

#include <system_error>

#include "backends/common/slot_table.hpp"
#include "backends/common/turn_queue.hpp"
#include "backends/poller.hpp"

namespace tern {

struct QueuedCompletion {
  Channel channel;
  Operation operation;
  std::error_code error;  // or none
};

class CompletionQueue : public TurnQueue<QueuedCompletion> {
 public:
  // The next of this turn that is still news to somebody: whose channel is open, and of which
  // `is_news(slot, operation)` says so, having brought the slot up to date. False: there is none.
  template <class Slot, class IsNews>
  bool next(SlotTable<Slot>& slots, Completion& completion, PollerCounters& counters,
            IsNews is_news) {
    while (has_turn()) {
      const QueuedCompletion queued = take();
      Slot* const slot = slots.find_open(queued.channel);
      if (slot == nullptr || !is_news(*slot, queued.operation)) continue;
      begin_completion(completion, queued.operation, *slot, queued.channel, counters);
      completion.error = queued.error;
      completion.accepted = {};
      completion.datagrams = {};
      completion.count = 0;
      return true;
    }
    return false;
  }
};

}  // namespace tern
