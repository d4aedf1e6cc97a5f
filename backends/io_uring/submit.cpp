// Orders become entries, right before the kernel is entered.
#include <poll.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <thread>

#include "backends/io_uring/io_uring.hpp"
#include "backends/io_uring/mark.hpp"

namespace tern::io_uring {
namespace {

// The most that one slot may need at once: a cancellation, or a start, of each operation.
constexpr unsigned entries_per_slot_max = 4;

}  // namespace

// False when the queue is full before all are looked at.
bool Poller::submit_changes() {
  if (!watches_wakes_) watch_wakes();
  std::size_t at = 0;
  for (; at < changed_.size() && ring_.room() >= entries_per_slot_max; ++at) {
    const Channel channel = changed_[at];
    if (!slots_.is_current(channel)) continue;
    Slot& changed = slots_[channel.index];
    changed.clear(Slot::changed);
    submit(changed, channel);
  }
  changed_.erase(changed_.begin(), changed_.begin() + static_cast<std::ptrdiff_t>(at));
  stream_buffers_.publish();
  datagram_buffers_.publish();
  return changed_.empty();
}

void Poller::submit(Slot& slot, Channel channel) {
  std::uint32_t wanted = slot.flags & Slot::wants_any;
  if (slot.held_count > 0 || slot.is(Slot::backing_off)) [[unlikely]] {
    for (const Operation operation : {Operation::accept, Operation::receive}) {
      if (is_flooded(slot, operation)) wanted &= ~Slot::wants(operation);
    }
  }
  std::uint32_t differing = wanted ^ (slot.flags & Slot::has_any) >> Slot::has_place;
  for (; differing != 0; differing &= differing - 1) {
    const auto operation = static_cast<Operation>(std::countr_zero(differing));
    if ((wanted & Slot::wants(operation)) != 0) {
      start(slot, channel, operation);
    } else if (!slot.is(Slot::cancels(operation))) {
      slot.set(Slot::cancels(operation));
      cancel(slot, channel, operation);
    }
  }
  if (slot.held_count > 0 && !slot.is(Slot::wants(Operation::receive))) copy_out(slot);
}

// Whether the kernel shall not do more of it for now. A receive that has brought more than a turn
// hands out goes on when all of it is handed out.
bool Poller::is_flooded(const Slot& slot, Operation operation) const {
  if (operation == Operation::accept) return slot.is(Slot::backing_off);
  if (operation != Operation::receive || slot.held_count == 0) return false;
  static constexpr std::size_t held_receives_max = 2;
  const bool is_datagram = slot.kind == SocketKind::datagram;
  return !slot.is(Slot::has(operation)) ||
         slot.held_count > (is_datagram ? datagrams_max : held_receives_max);
}

void Poller::start(Slot& slot, Channel channel, Operation operation) {
  slot.set(Slot::has(operation));
  slot.clear(Slot::cancels(operation));
  io_uring_sqe& entry = ring_.entry();
  switch (operation) {
    case Operation::accept:
      io_uring_prep_multishot_accept(&entry, slot.fd, nullptr, nullptr,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
      break;
    case Operation::connect:
      if (slot.is(Slot::connects)) {
        io_uring_prep_poll_add(&entry, slot.fd, POLLOUT);
      } else {
        const posix::Address& address = slot.transfer->address;
        new_connects_.push_back(channel);
        io_uring_prep_connect(&entry, slot.fd, address.get(), address.size);
      }
      break;
    case Operation::receive:
      if (slot.kind == SocketKind::datagram) {
        io_uring_prep_recvmsg_multishot(&entry, slot.fd, &datagram_shape_, 0);
      } else {
        io_uring_prep_recv_multishot(&entry, slot.fd, nullptr, 0, 0);
        // From Linux 6.17 this is where it ends after so many bytes, in a place that liburing knows
        // by an older name. Before, a flood is cut off only after 32 buffers.
        if (has_receive_limit_) {
          entry.file_index = receive_bytes_;
          slot.set(Slot::limited);
        } else {
          slot.clear(Slot::limited);
        }
      }
      entry.flags |= IOSQE_BUFFER_SELECT;
      entry.buf_group = buffers_of(slot).group();
      break;
    case Operation::send:
      if (slot.kind == SocketKind::datagram) {
        io_uring_prep_poll_add(&entry, slot.fd, POLLOUT);
        break;
      }
      ++counters_.send_calls;
      if (slot.is(Slot::transfers)) {
        io_uring_prep_sendmsg(&entry, slot.fd, &slot.transfer->message, MSG_NOSIGNAL);
      } else {
        io_uring_prep_send(&entry, slot.fd, slot.bytes, slot.bytes_count, MSG_NOSIGNAL);
      }
      break;
    case Operation::close:
      assert(false && "a descriptor is closed by a call");
      break;
  }
  entry.user_data = mark_of(channel, operation);
}

// That it was cancelled is told by the operation's own last result; only a failure is told here.
void Poller::cancel([[maybe_unused]] const Slot& slot, Channel channel, Operation operation) {
  assert(slot.is(Slot::has(operation)));
  io_uring_sqe& entry = ring_.entry();
  io_uring_prep_cancel64(&entry, mark_of(channel, operation), 0);
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = mark_of(channel, operation) | cancellation;
}

void Poller::watch_wakes() {
  if (ring_.room() == 0) return;
  io_uring_sqe& entry = ring_.entry();
  io_uring_prep_poll_multishot(&entry, wake_fd_, POLLIN);
  entry.user_data = wake_mark;
  watches_wakes_ = true;
}

// Receiving is stopped, and may be for long: what came meanwhile must not keep buffers from others.
void Poller::copy_out(Slot& slot) {
  Buffers& buffers = buffers_of(slot);
  backlog_.for_each(slot, [&buffers](Held& held) {
    if (held.buffer == Buffers::none) return;
    const auto size = static_cast<std::size_t>(held.value);
    held.copy = std::shared_ptr<std::byte[]>(new std::byte[size]);
    std::memcpy(held.copy.get(), buffers.at(held.buffer), size);
    buffers.release(held.buffer);
    held.buffer = Buffers::none;
  });
}

void Poller::end_backoff() {
  for (const Channel channel : backing_off_) {
    if (!slots_.is_current(channel)) continue;
    Slot& backed_off = slots_[channel.index];
    backed_off.clear(Slot::backing_off);
    change(backed_off, channel);
  }
  backing_off_.clear();
}

std::error_code Poller::register_buffers() {
  for (Buffers* buffers : {&stream_buffers_, &datagram_buffers_}) {
    const int error = buffers->register_with(ring_);
    if (error != 0) return posix::error_from(error);
  }
  return {};
}

// The ring belongs to another thread, which may be no more. What is under way there ends with it:
// nothing of it was done halfway, since the kernel works inside enter() only.
void Poller::move_to_this_thread(Duration limit) {
  std::error_code error = ring_.reopen();
  if (!error) error = register_buffers();
  if (error) {
    // No descriptor or memory for a ring: as if nothing had happened; the next wait tries again.
    std::this_thread::sleep_for(std::clamp<Duration>(limit, {}, std::chrono::milliseconds(10)));
    return;
  }
  watches_wakes_ = false;
  // Entries of this turn have not reached the kernel; to most operations that makes no difference.
  for (const Channel channel : new_connects_) {
    if (slots_.is_current(channel)) slots_[channel.index].clear(Slot::has(Operation::connect));
  }
  new_connects_.clear();
  slots_.for_each([this](Slot& each, Channel channel) { rearm(each, channel); });
  submit_changes();
  (void)ring_.enter(Duration::zero());
}

void Poller::rearm(Slot& slot, Channel channel) {
  // Connecting goes on without an entry; asking for it a second time would be refused.
  if (slot.is(Slot::has(Operation::connect))) slot.set(Slot::connects);
  const bool had_entries = slot.is(Slot::has_any);
  slot.clear(Slot::has_any | Slot::cancels_any);
  if (!slot.is_closing()) return change(slot, channel);
  if (!had_entries) return;  // closed already
  drop_transfer(slot);
  // The dying ring may keep the open file a moment longer; nobody shall be let in meanwhile.
  if (slot.kind == SocketKind::listener) (void)::shutdown(slot.fd, SHUT_RDWR);
  Sockets::close({slot.fd, slot.kind});
  enqueue(slot, channel);
}

}  // namespace tern::io_uring
