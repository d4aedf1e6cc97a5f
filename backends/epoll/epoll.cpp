// epoll: Linux tells when a socket would not block.
//
// Object  An epoll instance, itself a descriptor: a set of watched descriptors and a list of those
//         that are ready. A watch belongs to the open file, not to its number, so a duplicate of
//         a closed descriptor would keep it alive: it is removed by hand before close().
// Start   Each socket is registered once, edge-triggered, for input and output; no order changes
//         that. accept, receive and send are tried when their edge has come, in readiness/; send
//         is tried at once.
// Finish  epoll_pwait2 fills a list of events: a slot and its generation, and what became
//         possible. next() makes the one call that stands ordered for that slot and hands out its
//         result. An event that the kernel had queued for an earlier use of the slot has an old
//         generation and is dropped.
// Wake    An eventfd in the set. A flag lets the first of many wakes write to it; it is lowered
//         after the eventfd is read and before anybody looks for posted work, so none is lost.
// Limits  A hang-up and an error cannot be masked, and are told once, by their edge. Urgent data
//         is not received. Regular files are refused (EPERM). Timeouts are to the nanosecond from
//         Linux 5.11; before, epoll_wait is given the next whole millisecond.
//         epoll(7), epoll_ctl(2), epoll_pwait2(2), eventfd(2).
#include "backends/epoll/epoll.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <climits>
#include <ctime>

namespace tern::epoll {
namespace {

// The empty slot in a generation that it never has: next() passes over it like over a stale event.
constexpr Channel wake_channel{0, UINT32_MAX};

int control(int epoll_fd, int operation, int fd, std::uint32_t events, Channel channel) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data = std::bit_cast<epoll_data_t>(channel);
  return ::epoll_ctl(epoll_fd, operation, fd, &event);
}

Time read_clock() {
  timespec now{};
  // CLOCK_MONOTONIC cannot fail with a valid pointer.
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return Time{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

// Rounded up, so that the wait is never early; a limit beyond 24 days waits that long and looks.
int milliseconds_at_least(Duration limit) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return static_cast<int>(std::min<std::int64_t>(rounded, INT_MAX));
}

}  // namespace

Poller::Poller(const PollerOptions& options)
    : ReadinessPoller(options),
      epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      events_(events_per_wait_max) {
  if (epoll_fd_ < 0 || wake_fd_ < 0 ||
      control(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, EPOLLIN, wake_channel) != 0) {
    const std::error_code error = posix::error_from(errno);
    if (epoll_fd_ >= 0) ::close(epoll_fd_);
    if (wake_fd_ >= 0) ::close(wake_fd_);
    throw std::system_error(error, "cannot set up epoll");
  }
  now_ = read_clock();
}

Poller::~Poller() {
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  const Channel channel = add(socket, owner, error);
  if (!channel.valid()) return {};
  // A datagram socket tells of room after every datagram that left; it is asked only when full.
  const std::uint32_t events =
      socket.kind == SocketKind::stream ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI : EPOLLIN;
  const int fd = static_cast<int>(socket.handle);
  if (control(epoll_fd_, EPOLL_CTL_ADD, fd, events, channel) != 0) [[unlikely]] {
    error = posix::error_from(errno);
    release(channel);
    return {};
  }
  return channel;
}

std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  const std::size_t taken = ReadinessPoller::send_to(channel, datagrams);
  const readiness::Slot& sending = slot(channel.index);
  if (sending.has(readiness::Slot::wants_send)) [[unlikely]] {
    // Asking again for what is asked already makes the kernel look and tell of the present state.
    (void)control(epoll_fd_, EPOLL_CTL_MOD, sending.fd, EPOLLIN | EPOLLOUT, channel);
  }
  return taken;
}

void Poller::close(Channel channel) {
  // Fails only if the watch is gone already, which is what is wanted.
  (void)::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, slot(channel.index).fd, nullptr);
  ReadinessPoller::close(channel);
}

int Poller::wait_for_events(Duration limit) {
  const timespec timeout = readiness::timespec_of(limit);
  const timespec* const timeout_or_forever = limit == forever ? nullptr : &timeout;
  if (has_pwait2_) [[likely]] {
    const int count =
        ::epoll_pwait2(epoll_fd_, events_.data(), events_per_wait_max, timeout_or_forever, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    has_pwait2_ = false;
  }
  return ::epoll_wait(epoll_fd_, events_.data(), events_per_wait_max,
                      limit == forever ? -1 : milliseconds_at_least(limit));
}

void Poller::wait(Duration limit) {
  assert(event_at_ == event_end_ && "next() has more");
  if (limit < Duration::zero() || has_more()) limit = bounded(limit);
  const int count = wait_for_events(limit);
  now_ = read_clock();
  ++counters_.waits;
  // A signal interrupts the wait (EINTR); that is an early return with nothing, as promised.
  event_at_ = events_.data();
  event_end_ = event_at_ + std::max(count, 0);
  if (count <= 0 && !has_more()) ++counters_.empty_waits;
  if (wake_pending_.load(std::memory_order_relaxed)) take_wake();
  begin_turn();
}

void Poller::refresh() { now_ = read_clock(); }

void Poller::take_wake() {
  // Read first, lower the flag after: a wake in between finds it raised and need not write, since
  // its work was posted before and is looked for after this.
  std::uint64_t count = 0;
  if (::read(wake_fd_, &count, sizeof count) != sizeof count)
    return;  // not written yet: it will be
  wake_pending_.exchange(false, std::memory_order_acq_rel);
  ++counters_.wakes;
}

void Poller::wake() {
  if (wake_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from full, and writing 8 bytes does not block.
  (void)!::write(wake_fd_, &one, sizeof one);
}

}  // namespace tern::epoll
