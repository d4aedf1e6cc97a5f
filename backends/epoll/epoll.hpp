// The poller on Linux epoll. The mechanism is described at the head of epoll.cpp.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <bit>
#include <string_view>
#include <vector>

#include "backends/readiness/readiness_poller.hpp"

namespace tern::epoll {

class Poller final : public readiness::ReadinessPoller {
 public:
  static constexpr std::string_view name = "epoll";

  explicit Poller(const PollerOptions& options);
  ~Poller();

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void close(Channel channel);

  void wait(Duration limit);
  bool next(Completion& completion) {
    while (event_at_ != event_end_) {
      const epoll_event& event = *event_at_++;
      // By value: the event is packed, so a reference into it may be misaligned.
      const auto channel = std::bit_cast<Channel>(std::uint64_t{event.data.u64});
      readiness::Slot& ready = slot(channel.index);
      // The kernel queued this before the socket was closed and its slot given to another; or it
      // is the wake, which wait() has seen to.
      if (ready.generation != channel.generation) [[unlikely]]
        continue;
      if (on_events(ready, channel, events_of(event.events), completion)) return true;
    }
    return next_queued(completion);
  }
  void wake();
  void refresh();

 private:
  static constexpr int events_per_wait_max = 256;

  static std::uint16_t events_of(std::uint32_t mask) {
    using readiness::Slot;
    static_assert(EPOLLIN == std::uint32_t{Slot::readable});
    static_assert(EPOLLOUT == std::uint32_t{Slot::writable});
    const auto events = static_cast<std::uint16_t>(mask & (EPOLLIN | EPOLLOUT));
    if ((mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) == 0) [[likely]]
      return events;
    // An end or an error shows itself to a receive; an error to a send, too. A receive stops short
    // of an urgent byte (tcp(7)) as it does at an end, and there may be more behind it.
    const bool both = (mask & (EPOLLHUP | EPOLLERR)) != 0;
    return events | Slot::ending | Slot::readable | (both ? Slot::writable : 0);
  }
  int wait_for_events(Duration limit);
  void take_wake();

  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  bool has_pwait2_ = true;  // until the kernel says otherwise
  const epoll_event* event_at_ = nullptr;
  const epoll_event* event_end_ = nullptr;
  std::atomic<bool> wake_pending_{false};
  std::vector<epoll_event> events_;
};

static_assert(is_poller<Poller>);

}  // namespace tern::epoll
