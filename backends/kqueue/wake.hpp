// How another thread ends the wait: an event of our own, or a pipe where the system has none. The
// build chose one of wake_user.cpp and wake_pipe.cpp.
#pragma once

namespace tern::kqueue {

class Wake {
 public:
  Wake() = default;
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;

  // Puts the event into the kqueue, to come with `udata`. 0, or an errno value.
  int watch(int kqueue_fd, void* udata);
  // THREAD  any; also from a signal handler.
  void trigger();
  // The event has come. After this the next trigger() makes another one.
  void take();

 private:
  // Each way has its own.
  [[maybe_unused]] int kqueue_fd_ = -1;
  [[maybe_unused]] int read_fd_ = -1;
  [[maybe_unused]] int write_fd_ = -1;
};

}  // namespace tern::kqueue
