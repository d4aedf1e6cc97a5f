// The poller on Linux epoll. The mechanism is described at the head of epoll.cpp.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <string_view>
#include <vector>

#include "backends/readiness/channels.hpp"

namespace tern::epoll {

class Poller final : public readiness::Channels {
 public:
  static constexpr std::string_view name = "epoll";

  explicit Poller(const PollerOptions& options);
  ~Poller();

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void close(Channel channel);

  void wait(Duration limit);
  bool next(Completion& completion) {
    while (event_at_ < event_count_) {
      const epoll_event& event = events_[event_at_++];
      const auto index = static_cast<std::uint32_t>(event.data.u64);
      if (index == Channel::no_index) [[unlikely]]
        continue;  // the wake, seen by wait()
      readiness::Slot& ready = slot(index);
      // The kernel queued this before the socket was closed and its slot given to another.
      if (ready.generation != event.data.u64 >> 32) [[unlikely]]
        continue;
      if (heard(ready, index, news_of(event.events), completion)) return true;
    }
    return next_queued(completion);
  }
  void wake();

 private:
  static constexpr int events_per_wait_max = 256;

  static std::uint16_t news_of(std::uint32_t events) {
    using readiness::Slot;
    constexpr std::uint32_t end = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    std::uint16_t news = 0;
    if ((events & (EPOLLIN | end)) != 0) news = Slot::readable;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) news |= Slot::writable;
    if ((events & end) != 0) news |= Slot::ending;
    return news;
  }
  int wait_for_events(Duration limit);
  void take_wake();

  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  int event_at_ = 0;
  int event_count_ = 0;
  std::atomic<bool> wake_pending_{false};
  std::vector<epoll_event> events_;
};

static_assert(is_poller<Poller>);

}  // namespace tern::epoll
