// Results become completions.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backends/io_uring/io_uring.hpp"
#include "backends/io_uring/mark.hpp"

namespace tern::io_uring {

bool Poller::next(Completion& completion) {
  release_current();
  Result result;
  while (ring_.take(result)) {
    if (finished(result, completion)) return true;
  }
  return next_queued(completion);
}

// The bytes of the last completion are not needed any more.
void Poller::release_current() {
  current_bytes_ = {};
  if (current_buffer_ != Buffers::none) {
    stream_buffers_.release(current_buffer_);
    current_buffer_ = Buffers::none;
  }
  if (!current_has_more_) [[likely]]
    return;
  current_has_more_ = false;
  current_copy_.reset();
  for (const Held& held : current_datagrams_) {
    if (held.buffer != Buffers::none) datagram_buffers_.release(held.buffer);
  }
  current_datagrams_.clear();
}

bool Poller::finished(const Result& result, Completion& completion) {
  if (result.user_data == wake_mark) [[unlikely]] {
    on_wake(result);
    return false;
  }
  const Channel channel = channel_of(result.user_data);
  const Operation operation = operation_of(result.user_data);
  if ((result.user_data & cancellation) != 0) [[unlikely]] {
    // The operation was being worked on and may not end by itself: once more.
    if (result.value != -EALREADY || !slots_.is_current(channel)) return false;
    Slot& lively = slots_[channel.index];
    lively.clear(Slot::cancels(operation));
    change(lively, channel);
    return false;
  }
  assert(slots_.is_current(channel) && "a result after the last one");
  Slot& of = slots_[channel.index];
  const bool is_last = (result.flags & IORING_CQE_F_MORE) == 0;
  if (is_last) of.clear(Slot::has(operation) | Slot::cancels(operation));
  if (of.is(Slot::closing)) [[unlikely]]
    return finished_closing(of, channel, result, completion);
  switch (operation) {
    case Operation::receive:
      if (is_last) [[unlikely]]
        change(of, channel);
      return finished_receive(of, channel, result, completion);
    case Operation::send:
      return finished_send(of, channel, result.value, completion);
    case Operation::accept:
      if (is_last) change(of, channel);
      return finished_accept(of, channel, result.value, completion);
    case Operation::connect:
      return finished_connect(of, channel, result.value, completion);
    case Operation::close:
      break;
  }
  assert(false && "no entry is a close");
  return false;
}

void Poller::on_wake(const Result& result) {
  if ((result.flags & IORING_CQE_F_MORE) == 0) watches_wakes_ = false;
  if (wake_pending_.exchange(false, std::memory_order_acq_rel)) ++counters_.wakes;
}

// Whatever it brought, nobody wants it any more; with the last one the descriptor can be closed.
bool Poller::finished_closing(Slot& slot, Channel channel, const Result& result,
                              Completion& completion) {
  if ((result.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(result.flags >> IORING_CQE_BUFFER_SHIFT);
    buffers_of(slot).took(buffer);
    buffers_of(slot).release(buffer);
  }
  if (operation_of(result.user_data) == Operation::accept && result.value >= 0) {
    ::close(result.value);
  }
  if (slot.is(Slot::has_any)) return false;
  drop_transfer(slot);
  Sockets::close({slot.fd, slot.kind});
  return perform(slot, channel, completion);
}

bool Poller::finished_accept(Slot& slot, Channel channel, int value, Completion& completion) {
  if (value < 0 && posix::classify(-value) == ErrorClass::interrupted) return false;
  if (!slot.is(Slot::wants(Operation::accept))) {
    // A connection waits for the order; an error that nobody wants to hear does not.
    if (value >= 0) backlog_.push(slot, value, Buffers::none);
    return false;
  }
  if (value < 0 && is_lack_of_room(posix::classify(-value))) {
    // Trying again at once could only fail again.
    static constexpr Duration backoff = std::chrono::milliseconds(10);
    slot.set(Slot::backing_off);
    if (backing_off_.empty()) backoff_end_ = now_ + backoff;
    backing_off_.push_back(channel);
  }
  deliver_accept(slot, channel, value, completion);
  return true;
}

void Poller::deliver_accept(const Slot& slot, Channel channel, int value, Completion& completion) {
  begin_completion(completion, Operation::accept, slot, channel, counters_);
  if (value < 0) {
    completion.error = posix::error_from(-value);
    completion.accepted = {};
  } else {
    completion.accepted = {value, SocketKind::stream};
  }
}

bool Poller::finished_connect(Slot& slot, Channel channel, int value, Completion& completion) {
  int errno_value = std::max(-value, 0);
  if (is_passing(posix::classify(errno_value))) {
    // Not by us: the thread that the entry belonged to has ended. Connecting goes on without it.
    slot.set(Slot::connects);
    change(slot, channel);
    return false;
  }
  if (slot.is(Slot::connects) && value >= 0) {
    socklen_t size = sizeof errno_value;
    if (::getsockopt(slot.fd, SOL_SOCKET, SO_ERROR, &errno_value, &size) != 0) errno_value = errno;
  }
  slot.clear(Slot::wants(Operation::connect) | Slot::connects);
  drop_transfer(slot);
  begin_completion(completion, Operation::connect, slot, channel, counters_);
  if (errno_value != 0) completion.error = posix::error_from(errno_value);
  return true;
}

bool Poller::finished_send(Slot& slot, Channel channel, int value, Completion& completion) {
  slot.clear(Slot::wants(Operation::send));
  current_buffer_ = std::exchange(slot.lent, Buffers::none);
  Slice offered;
  if (slot.is(Slot::transfers)) [[unlikely]] {
    current_copy_ = std::move(slot.transfer->lent);
    current_has_more_ = true;
    const iovec& first = slot.transfer->slices.front();
    offered = {static_cast<const std::byte*>(first.iov_base), first.iov_len};
    drop_transfer(slot);
  } else {
    offered = {slot.bytes, slot.bytes_count};
  }
  begin_completion(completion, Operation::send, slot, channel, counters_);
  completion.count = 0;
  completion.bytes = offered;
  if (slot.kind == SocketKind::datagram) return true;  // there is room again
  if (value >= 0) [[likely]] {
    completion.count = static_cast<std::size_t>(value);
    counters_.sent_bytes += completion.count;
    completion.bytes = offered.subspan(std::min(completion.count, offered.size()));
  } else if (!is_passing(posix::classify(-value))) {
    completion.error = posix::error_from(-value);
  }
  return true;
}

bool Poller::finished_receive(Slot& slot, Channel channel, const Result& result,
                              Completion& completion) {
  std::uint16_t buffer = Buffers::none;
  if ((result.flags & IORING_CQE_F_BUFFER) != 0) [[likely]] {
    buffer = static_cast<std::uint16_t>(result.flags >> IORING_CQE_BUFFER_SHIFT);
    Buffers& buffers = buffers_of(slot);
    buffers.took(buffer);
    if (result.value <= 0) {
      buffers.release(buffer);
      buffer = Buffers::none;
    }
  }
  if (result.value < 0) [[unlikely]] {
    if (result.value == -ENOBUFS) buffers_of(slot).ran_out();
    if (is_passing(posix::classify(-result.value))) return false;
    if (result.value == -EINVAL && slot.is(Slot::limited)) {
      has_receive_limit_ = false;  // an older kernel: this one, and all others, without
      return false;
    }
  }
  ++counters_.receive_calls;
  const bool is_plain = slot.kind == SocketKind::stream && slot.held_count == 0 &&
                        slot.turn != turn_number_ && slot.is(Slot::wants(Operation::receive));
  if (is_plain) [[likely]] {
    deliver(slot, channel, {nullptr, result.value, Channel::no_index, buffer}, completion);
    return true;
  }
  backlog_.push(slot, result.value, buffer);
  if (slot.is(Slot::wants(Operation::receive))) {
    slot.turn == turn_number_ ? enqueue(slot, channel) : enqueue_now(slot, channel);
  }
  // Too much is held back, or receiving is stopped and this keeps a buffer.
  change(slot, channel);
  return false;
}

void Poller::deliver(Slot& slot, Channel channel, Held held, Completion& completion) {
  slot.turn = turn_number_;
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  if (held.value > 0) [[likely]] {
    const auto count = static_cast<std::size_t>(held.value);
    counters_.received_bytes += count;
    current_buffer_ = held.buffer;
    if (held.buffer != Buffers::none) [[likely]] {
      completion.bytes = current_bytes_ = {stream_buffers_.at(held.buffer), count};
      return;
    }
    current_copy_ = std::move(held.copy);
    current_has_more_ = true;
    completion.bytes = current_bytes_ = {current_copy_.get(), count};
    return;
  }
  slot.clear(Slot::wants(Operation::receive));
  completion.bytes = {};
  if (held.value < 0) completion.error = posix::error_from(-held.value);
}

bool Poller::next_queued(Completion& completion) {
  while (ready_.has_turn()) {
    const Channel channel = ready_.take();
    if (!slots_.is_current(channel)) continue;
    Slot& ready = slots_[channel.index];
    ready.clear(Slot::queued);
    if (perform(ready, channel, completion)) return true;
  }
  return queue_.has_turn() && next_queued_completion(completion);
}

bool Poller::next_queued_completion(Completion& completion) {
  return queue_.next(slots_, completion, counters_, [](const Slot&, Operation) { return true; });
}

// One thing that a slot has to tell beside results.
bool Poller::perform(Slot& slot, Channel channel, Completion& completion) {
  if (slot.is_closing()) {
    if (slot.is(Slot::has_any)) return false;  // with the last result, then
    begin_completion(completion, Operation::close, slot, channel, counters_);
    slots_.release(channel);
    return true;
  }
  if (slot.held_count == 0) return false;
  if (slot.kind == SocketKind::listener) {
    if (!slot.is(Slot::wants(Operation::accept))) return false;
    deliver_accept(slot, channel, backlog_.pop(slot).value, completion);
    if (slot.held_count > 0) enqueue_now(slot, channel);
    return true;
  }
  if (!slot.is(Slot::wants(Operation::receive))) return false;
  if (slot.turn == turn_number_) {
    enqueue(slot, channel);
    return false;
  }
  if (slot.kind == SocketKind::datagram) {
    deliver_datagrams(slot, channel, completion);
  } else {
    deliver(slot, channel, backlog_.pop(slot), completion);
  }
  if (slot.held_count > 0) {
    enqueue(slot, channel);
  } else {
    change(slot, channel);  // receiving may go on
  }
  return true;
}

}  // namespace tern::io_uring
