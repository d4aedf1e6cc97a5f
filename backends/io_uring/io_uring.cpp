// io_uring: Linux is told the operations in advance and tells what became of them.
//
// Object  A ring: two queues in memory shared with the kernel, entries one way, results the other.
//         And rings of buffers that receives draw from, so that an idle channel owns none. A ring
//         belongs to one thread, the one that enters it first.
// Start   Orders are written down in the slot and become entries right before the kernel is
//         entered: a multishot accept, a multishot receive (recvmsg for datagrams) with buffers of
//         the ring, a send of the caller's slices, a connect. One entry stands for many results.
//         Datagrams are sent at once, by sendmmsg. What is withdrawn is cancelled by the mark of
//         its entry.
// Finish  One call each turn submits the entries, lets the kernel do what is ready and waits for a
//         result. It works in our thread, inside that call only (DEFER_TASKRUN), so between two
//         of them no memory of ours is touched. next() takes the results one by one: a slot, its
//         generation, an operation. What a channel gets beyond one receive a turn is held back,
//         and its receive cancelled until that is handed out. close() cancels everything, waits
//         for the last result of each entry, and only then closes the descriptor: an entry keeps
//         the open file alive, and would go on receiving.
// Wake    An eventfd that a multishot poll watches; it is never read, each write is a result. A
//         flag lets the first of many wakes write; it is lowered when the result is taken, before
//         anybody looks for posted work.
// Limits  Linux 6.1 (DEFER_TASKRUN); seccomp and kernel.io_uring_disabled may forbid it. On another
//         thread than its own a ring is of no use: it is left to die and another one made, from
//         what the slots want; the old one lets go of closed sockets a moment later. A multishot
//         accept needs a free descriptor before anybody is there, so a full table is told early;
//         it is tried again every 10 ms. io_uring(7), io_uring_setup(2), io_uring_enter(2).
#include "backends/io_uring/io_uring.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace tern::io_uring {
namespace {

// All receive buffers together may have this many bytes, of which pages never reached take none.
constexpr std::size_t buffers_bytes_max = 8UL << 20U;

unsigned count_of_buffers(std::size_t bytes) {
  return static_cast<unsigned>(std::clamp<std::size_t>(buffers_bytes_max / bytes, 8, 1024));
}

Time read_clock() {
  timespec now{};
  // CLOCK_MONOTONIC cannot fail with a valid pointer.
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return Time{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

}  // namespace

Poller::Poller(const PollerOptions& options)
    : now_(read_clock()),
      receive_bytes_(static_cast<std::uint32_t>(options.receive_bytes)),
      stream_buffers_(0, options.receive_bytes, count_of_buffers(options.receive_bytes)),
      datagram_buffers_(1, datagram_head_bytes + options.datagram_bytes, 4 * datagrams_max),
      datagrams_(datagrams_max),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  datagram_shape_.msg_namelen = sizeof(sockaddr_storage);
  std::error_code error = posix::error_from(wake_fd_ < 0 ? errno : 0);
  if (!error) error = register_buffers();
  if (!error) return;
  if (wake_fd_ >= 0) ::close(wake_fd_);
  throw std::system_error(error, "cannot set up io_uring");
}

Poller::~Poller() {
  ring_.cancel_all();
  Result last;
  while (ring_.take(last)) {
    const bool is_connection = last.user_data != wake_mark && last.value >= 0 &&
                               operation_of(last.user_data) == Operation::accept;
    if (is_connection) ::close(last.value);
  }
  slots_.for_each([this](Slot& each, Channel) {
    const bool is_closed = each.is_closing() && !each.is(Slot::has_any);
    drop_held(each);
    drop_transfer(each);
    if (!is_closed) Sockets::close({each.fd, each.kind});
  });
  ::close(wake_fd_);
}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  if (!slots_.make_room(error)) return {};
  const auto make_room = [this, socket] {
    reserve(slots_.capacity());
    // For sending only; what is received has buffers of its own.
    if (socket.kind == SocketKind::datagram && batch_ == nullptr) {
      batch_ = std::make_unique<posix::DatagramBatch>(1);
    }
  };
  if (!has_memory_for(make_room, error)) return {};
  const Channel channel = slots_.add(socket, owner);
  Slot& added = slots_[channel.index];
  added.fd = static_cast<int>(socket.handle);
  added.turn = turn_number_ - 1U;
  return channel;
}

Socket Poller::socket(Channel channel) const {
  assert(slots_.is_current(channel));
  const Slot& found = slots_[channel.index];
  return {found.fd, found.kind};
}

bool Poller::has_waiting(Channel channel) const {
  return slots_[channel.index].held_count > 0 || posix::has_waiting(socket(channel));
}

void Poller::order(Channel channel, Operation operation) {
  Slot& ordered = slots_.checked(channel);
  ordered.set(Slot::wants(operation));
  ordered.clear(Slot::backing_off);
  if (ordered.held_count > 0) enqueue(ordered, channel);
  change(ordered, channel);
}

void Poller::stop(Channel channel, Operation operation) {
  assert(operation == Operation::accept || operation == Operation::receive);
  Slot& stopped = slots_.checked(channel);
  stopped.clear(Slot::wants(operation) | Slot::backing_off);
  change(stopped, channel);
}

// A local socket is connected, or refused, while it is asked; there is nothing to wait for.
void Poller::connect(Channel channel, const Endpoint& endpoint) {
  Slot& connecting = slots_.checked(channel);
  if (endpoint.family() == Family::local) {
    const posix::Address address(endpoint);
    const int result = ::connect(connecting.fd, address.get(), address.size);
    return queue_completion(channel, Operation::connect, result == 0 ? 0 : errno);
  }
  transfer_of(connecting).address = posix::Address(endpoint);
  connecting.set(Slot::wants(Operation::connect));
  change(connecting, channel);
}

void Poller::drop_held(Slot& slot) {
  while (slot.held_count > 0) {
    const Held held = backlog_.pop(slot);
    if (held.buffer != Buffers::none) buffers_of(slot).release(held.buffer);
    if (slot.kind == SocketKind::listener && held.value >= 0) ::close(held.value);
  }
}

void Poller::close(Channel channel) {
  Slot& closed = slots_.checked(channel);
  drop_held(closed);
  closed.clear(Slot::wants_any | Slot::backing_off);
  closed.set(Slot::closing);
  if (closed.is(Slot::has_any)) return change(closed, channel);
  drop_transfer(closed);
  Sockets::close({closed.fd, closed.kind});
  enqueue(closed, channel);
}

void Poller::wait(Duration limit) {
  assert(!ring_.has_result() && !ready_.has_turn() && "next() has more");
  if (ready_.has_coming() || queue_.has_coming()) limit = Duration::zero();
  if (!backing_off_.empty()) limit = std::min(limit, backoff_end_ - now_);
  // What the queue cannot hold goes with the next wait.
  if (!submit_changes()) limit = Duration::zero();
  const int result = ring_.enter(limit);
  if (result == -EEXIST || result == -EBADFD) [[unlikely]] {
    move_to_this_thread(limit);
  } else {
    new_connects_.clear();
  }
  now_ = read_clock();
  ++counters_.waits;
  if (!backing_off_.empty() && now_ >= backoff_end_) end_backoff();
  ++turn_number_;
  ready_.begin_turn();
  queue_.begin_turn();
  if (!ring_.has_result() && !ready_.has_turn() && !queue_.has_turn()) ++counters_.empty_waits;
}

void Poller::refresh() { now_ = read_clock(); }

void Poller::wake() {
  if (wake_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // Cannot fail: the counter is never near its end.
  (void)!::write(wake_fd_, &one, sizeof one);
}

}  // namespace tern::io_uring
