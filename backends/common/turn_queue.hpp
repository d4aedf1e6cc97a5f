// TurnQueue: what a poller works off a turn at a time.
//
//       push() ──► the coming turn ── begin_turn() ──► this turn ◄── push_now()
//                                                         │
//                                                      take()
//
//   So a turn ends, however much its work makes new work; and nothing is moved to make room.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tern {

template <class T>
class TurnQueue {
 public:
  void push(T value) { coming_.push_back(std::move(value)); }
  void push_now(T value) {
    turn_.push_back(std::move(value));
    ++left_;
  }

  // So that push() and push_now() need no memory for as many at a time.
  void reserve(std::size_t count) {
    coming_.reserve(count);
    turn_.reserve(count);
  }
  // What is left of this turn stays first.
  void begin_turn() {
    if (coming_.empty() || has_turn()) [[likely]]
      return;
    turn_.clear();
    turn_.swap(coming_);
    left_ = turn_.size();
  }
  bool has_coming() const { return !coming_.empty(); }
  bool has_turn() const { return left_ > 0; }
  // The next of this turn. REQUIRES has_turn().
  T take() { return std::move(turn_[turn_.size() - left_--]); }

 private:
  std::vector<T> coming_;
  std::vector<T> turn_;
  std::size_t left_ = 0;  // of turn_, how many are not taken
};

}  // namespace tern
