// The poller on kqueue. The mechanism is described at the head of kqueue.cpp.
#pragma once

#include <sys/types.h>
// After the types that it uses.
#include <sys/event.h>

#include <atomic>
#include <bit>
#include <string_view>
#include <vector>

#include "backends/readiness/readiness_poller.hpp"

namespace tern::kqueue {

// How another thread ends the wait: an event of our own, or a pipe where the system has none. The
// build chose one of wake_user.cpp and wake_pipe.cpp.
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
  // Where it is triggered (the kqueue, or the pipe's end), and the end that is read.
  int trigger_fd_ = -1;
  [[maybe_unused]] int read_fd_ = -1;
};

class Poller final : public readiness::ReadinessPoller {
 public:
  static constexpr std::string_view name = "kqueue";

  explicit Poller(const PollerOptions& options);
  ~Poller();

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void close(Channel channel);

  void wait(Duration limit);
  bool next(Completion& completion) {
    while (event_at_ != event_end_) {
      const struct kevent& event = *event_at_++;
      const Channel channel = channel_of(event);
      readiness::Slot& ready = slot(channel.index);
      // Told before the socket was closed and its slot given away; or the wake: see wait().
      if (ready.generation != channel.generation) [[unlikely]]
        continue;
      if ((event.flags & EV_ERROR) != 0) [[unlikely]] {
        take_answer(event);
        continue;
      }
      if (!on_events(ready, channel, events_of(event, ready), completion)) continue;
      if (stopped_short(event, ready, completion)) [[unlikely]] {
        requeue(ready, channel, readiness::Slot::readable | readiness::Slot::ending);
      }
      return true;
    }
    return next_queued(completion);
  }
  void wake();
  void refresh() { now_ = Time::clock::now(); }

 private:
  static constexpr int events_per_wait_max = 256;

  static Channel channel_of(const struct kevent& event) {
    static_assert(sizeof event.udata == sizeof(Channel), "kqueue: 64-bit systems only");
    return std::bit_cast<Channel>(event.udata);
  }
  static std::uint16_t events_of(const struct kevent& event, const readiness::Slot& slot) {
    using readiness::Slot;
    // The end of one direction says nothing about the other, which has an event of its own.
    if (event.filter == EVFILT_WRITE) return Slot::writable;
    // EV_FLAG1: macOS counts only the bytes before an urgent one, and says so.
    if ((event.flags & (EV_EOF | EV_FLAG1)) != 0) return Slot::readable | Slot::ending;
    // Who receives later cannot compare with what was told now, so it must not trust a short read.
    const bool is_now = slot.has(Slot::wants_receive) && !slot.has(Slot::queued);
    return Slot::readable | (is_now || !slot.has(Slot::stream) ? 0 : Slot::ending);
  }

  // A receive that exhausted its socket brought all that the event told of. Fewer bytes: it stopped
  // short of an urgent one, and there is more behind it.
  static bool stopped_short(const struct kevent& event, const readiness::Slot& slot,
                            const Completion& completion) {
    return static_cast<std::int64_t>(completion.bytes.size()) < event.data &&
           completion.operation == Operation::receive && event.filter == EVFILT_READ &&
           slot.has(readiness::Slot::stream) && !slot.has(readiness::Slot::queued) &&
           !completion.error;
  }

  void add_filter(Channel channel, const readiness::Slot& slot, int filter);
  void take_answer(const struct kevent& answer);
  void submit_in_bulk();
  int wait_for_events(Duration limit);
  void take_wake();

  int kqueue_fd_ = -1;
  bool is_retrying_ = false;  // the kernel had no memory for a change, which is made again
  const struct kevent* event_at_ = nullptr;
  const struct kevent* event_end_ = nullptr;
  std::atomic<bool> wake_pending_{false};
  Wake wake_;
  std::vector<struct kevent> changes_;  // for the next wait
  std::vector<struct kevent> events_;
};

static_assert(is_poller<Poller>);

}  // namespace tern::kqueue
