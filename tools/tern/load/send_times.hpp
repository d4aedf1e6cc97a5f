// SendTimes: when the unanswered messages of one connection were sent, oldest first.
//
//   Answers come in the order of sending, and messages that were sent together have one time, so
//   the queue holds runs: (time, how many). At depth 16 a batch costs one entry, not sixteen.
//   Grows to what is needed, at most one run a message, and never shrinks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern::tool {

class SendTimes {
 public:
  struct Run {
    std::int64_t time_ns = 0;
    std::uint64_t messages = 0;
  };

  bool empty() const { return begin_ == end_; }

  // REQUIRES messages > 0.
  void push(std::int64_t time_ns, std::uint64_t messages) {
    if (end_ - begin_ == runs_.size()) [[unlikely]]
      grow();
    runs_[end_ & (runs_.size() - 1)] = {time_ns, messages};
    ++end_;
  }

  // Takes up to `messages` of the oldest run off the queue and returns them. REQUIRES not empty.
  Run take(std::uint64_t messages) {
    Run& oldest = runs_[begin_ & (runs_.size() - 1)];
    const Run taken{oldest.time_ns, messages < oldest.messages ? messages : oldest.messages};
    oldest.messages -= taken.messages;
    if (oldest.messages == 0) ++begin_;
    return taken;
  }

 private:
  // To the next power of two, oldest first.
  void grow() {
    std::vector<Run> larger(runs_.empty() ? 1 : 2 * runs_.size());
    for (std::size_t index = begin_; index != end_; ++index) {
      larger[index - begin_] = runs_[index & (runs_.size() - 1)];
    }
    end_ -= begin_;
    begin_ = 0;
    runs_.swap(larger);
  }

  std::vector<Run> runs_;  // a ring; its size is a power of two, indexes grow without end
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace tern::tool
