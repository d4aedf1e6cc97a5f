// Timer: something to be done on a reactor's thread at or after a time.
//
//   OWNERSHIP  The caller's object; it must live while armed. Its destructor cancels. Not movable:
//              the wheel links to it, so arming costs no allocation.
//   THREAD     The reactor's only.
//   INVARIANTS 1  Never early: fires in the first turn whose now() is at or past the deadline.
//              2  Fires once for each arm; may arm itself again inside fire().
//              3  Arming and cancelling are O(1).
//   Resolution: deadlines are kept to the nanosecond; the reactor sleeps until the earliest one.
#pragma once

#include <functional>
#include <utility>

#include "tern/export.hpp"
#include "tern/time.hpp"

namespace tern {

class Reactor;

class TERN_API Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  bool armed() const { return next_ != nullptr; }
  // When it will fire; meaningful while armed.
  Time deadline() const { return deadline_; }

  // Arms, or moves to the new time if armed. A time in the past fires in the next turn.
  void arm(Reactor& reactor, Time deadline);
  void arm_after(Reactor& reactor, Duration delay);
  // Nothing happens if it is not armed.
  void cancel();

 protected:
  virtual ~Timer();
  // On the reactor's thread. Must not throw.
  virtual void fire() = 0;

 private:
  friend class TimerWheel;

  // Links in a circular list with the wheel's slot as its head; null while not armed.
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  Time deadline_{};
};

// A timer that calls a function.
class CallbackTimer final : public Timer {
 public:
  explicit CallbackTimer(std::function<void()> callback) : callback_(std::move(callback)) {}

 private:
  void fire() override { callback_(); }

  std::function<void()> callback_;
};

}  // namespace tern
