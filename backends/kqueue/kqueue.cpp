// kqueue: the BSDs and macOS tell when a socket would not block.
//
// Object  A kqueue, itself a descriptor: a set of filters, each for one direction of one
//         descriptor, and a list of those that have fired. A filter belongs to the descriptor, so
//         closing that removes it; a duplicate keeps nothing alive.
// Start   Two changes for each socket, one filter for input and one for output, with EV_CLEAR:
//         told once for each event. They are written into a list, which the next wait
//         takes along; no order changes them. accept, receive and send are tried when their filter
//         has fired, in readiness/; send is tried at once.
// Finish  kevent() fills a list of events: one a filter, so a socket may have two, each with the
//         slot and generation and how much there is. next() makes the one call that stands ordered
//         and hands out its result. The end (EV_EOF) comes with bytes still unread, and an error
//         with it; both are told by the call. A change that failed is an event, too.
// Wake    EVFILT_USER, triggered by kevent() from any thread; a pipe where that is missing
//         (OpenBSD, NetBSD before 10). A flag lets the first of many wakes do it.
// Limits  64-bit systems. A paused reader is told of each arrival until its buffer is full. macOS
//         and OpenBSD do not spread connections over listeners. macOS has neither accept4 nor
//         MSG_NOSIGNAL, refuses timeouts beyond three years, and tells of bytes before an urgent
//         one only. FreeBSD, NetBSD, OpenBSD, macOS: kqueue(2).
#include "backends/kqueue/kqueue.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace tern::kqueue {
namespace {

// The empty slot in a generation that it never has: next() passes over it like over a stale event.
constexpr Channel wake_channel{0, UINT32_MAX};

// macOS refuses a timeout beyond 100 million seconds. An early return is within the contract.
constexpr Duration limit_max = std::chrono::hours(24);
constexpr Duration memory_retry = std::chrono::milliseconds(1);

}  // namespace

Poller::Poller(const PollerOptions& options)
    : ReadinessPoller(options), kqueue_fd_(::kqueue()), events_(events_per_wait_max) {
  const bool is_open = kqueue_fd_ >= 0 && ::fcntl(kqueue_fd_, F_SETFD, FD_CLOEXEC) == 0;
  const int errno_value =
      is_open ? wake_.watch(kqueue_fd_, std::bit_cast<void*>(wake_channel)) : errno;
  if (errno_value != 0) {
    if (kqueue_fd_ >= 0) ::close(kqueue_fd_);
    throw std::system_error(posix::error_from(errno_value), "cannot set up kqueue");
  }
  refresh();
}

Poller::~Poller() { ::close(kqueue_fd_); }

void Poller::add_filter(Channel channel, const readiness::Slot& slot, int filter) {
  // Datagrams find room nearly always: it is asked for only where they have not, and told once.
  const bool once = slot.kind == SocketKind::datagram && filter == EVFILT_WRITE;
  struct kevent& change = changes_.emplace_back();
  EV_SET(&change, static_cast<std::uintptr_t>(slot.fd), static_cast<std::int16_t>(filter),
         static_cast<std::uint16_t>(EV_ADD | (once ? EV_ONESHOT : EV_CLEAR)), 0, 0,
         std::bit_cast<void*>(channel));
}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  if (!has_memory_for([this] { reserve_more(changes_, 2); }, error)) return {};
  const Channel channel = add(socket, owner, error);
  if (!channel.valid()) return {};
  add_filter(channel, slot(channel.index), EVFILT_READ);
  if (socket.kind == SocketKind::stream) add_filter(channel, slot(channel.index), EVFILT_WRITE);
  return channel;
}

std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  const std::size_t taken = ReadinessPoller::send_to(channel, datagrams);
  const readiness::Slot& sending = slot(channel.index);
  if (sending.has(readiness::Slot::wants_send)) [[unlikely]]
    add_filter(channel, sending, EVFILT_WRITE);
  return taken;
}

void Poller::close(Channel channel) {
  // A change that still waits would put the filter on whoever is given the number next.
  std::erase_if(changes_,
                [channel](const struct kevent& waiting) { return channel_of(waiting) == channel; });
  ReadinessPoller::close(channel);
}

// The kernel's answer to a change: an errno value, or 0.
void Poller::take_answer(const struct kevent& answer) {
  if (answer.data == 0) return;
  const Channel channel = channel_of(answer);
  if (answer.data == ENOMEM) {
    add_filter(channel, slot(channel.index), answer.filter);
    is_retrying_ = true;
    return;
  }
  // This filter will never fire. Some systems answer so when the peer has gone already (EPIPE), and
  // then it need not: every call is tried once, and tells what is the matter with the socket.
  using readiness::Slot;
  requeue(slot(channel.index), channel, Slot::readable | Slot::writable | Slot::ending);
}

// More changes than the list of events has room for errors: the first ones go alone. EV_RECEIPT
// makes the answers all that is told, so that no event comes between.
void Poller::submit_in_bulk() {
  std::vector<struct kevent> bulk;
  std::swap(bulk, changes_);
  for (struct kevent& each : bulk) each.flags |= EV_RECEIPT;
  const timespec at_once{};
  const int count = static_cast<int>(bulk.size());
  const int answered = ::kevent(kqueue_fd_, bulk.data(), count, bulk.data(), count, &at_once);
  if (answered < 0) std::swap(bulk, changes_);
  for (int i = 0; i < answered; ++i) take_answer(bulk[static_cast<std::size_t>(i)]);
}

int Poller::wait_for_events(Duration limit) {
  // What found no memory is left for the wait after this one, or the refusals would make a spin.
  const bool backs_off = std::exchange(is_retrying_, false);
  if (!backs_off && changes_.size() > events_per_wait_max) submit_in_bulk();
  const auto change_count = backs_off ? 0 : static_cast<int>(changes_.size());
  const timespec timeout =
      readiness::timespec_of(std::min(limit, backs_off ? memory_retry : limit_max));
  const int count = ::kevent(kqueue_fd_, changes_.data(), change_count, events_.data(),
                             events_per_wait_max, &timeout);
  // A signal interrupts the wait only, not the changes: they are in force.
  if (change_count > 0 && (count >= 0 || errno == EINTR)) changes_.clear();
  return std::max(count, 0);
}

void Poller::wait(Duration limit) {
  assert(event_at_ == event_end_ && "next() has more");
  if (limit < Duration::zero() || has_more()) limit = bounded(limit);
  const int count = wait_for_events(limit);
  refresh();
  event_at_ = events_.data();
  event_end_ = event_at_ + count;
  ++counters_.waits;
  if (count == 0 && !has_more()) ++counters_.empty_waits;
  if (wake_pending_.load(std::memory_order_relaxed)) take_wake();
  begin_turn();
}

// Lowered before anybody looks for posted work, and not before the event has come: a wake in
// between finds the flag raised, and its work was posted before that is looked for.
void Poller::take_wake() {
  const auto is_wake = [](const struct kevent& event) { return channel_of(event) == wake_channel; };
  if (std::none_of(event_at_, event_end_, is_wake)) return;
  wake_.take();
  wake_pending_.exchange(false, std::memory_order_acq_rel);
  ++counters_.wakes;
}

void Poller::wake() {
  if (!wake_pending_.exchange(true, std::memory_order_acq_rel)) wake_.trigger();
}

}  // namespace tern::kqueue
