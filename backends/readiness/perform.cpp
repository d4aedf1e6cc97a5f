// perform(): the one call that a ready socket gets in a turn, and what becomes of its result.
#include <cerrno>

#include "backends/readiness/readiness_poller.hpp"

namespace tern::readiness {

bool ReadinessPoller::perform(Slot& slot, Channel channel, Completion& completion) {
  constexpr std::uint16_t rare = Slot::closing | Slot::wants_connect | Slot::wants_send;
  if (slot.has(rare)) [[unlikely]] {
    if (slot.is_closing()) return perform_close(slot, channel, completion);
    if (slot.has(Slot::wants_connect)) return perform_connect(slot, channel, completion);
    // Sending first: it frees the caller's memory, receiving fills it.
    if (slot.has(Slot::writable)) return perform_send(slot, channel, completion);
  }
  constexpr std::uint16_t receivable = Slot::readable | Slot::wants_receive;
  if ((slot.flags & receivable) == receivable) {
    if (slot.kind == SocketKind::stream) [[likely]] {
      const bool received = perform_receive(slot, channel, completion);
      // The end that the kernel spoke of is behind these bytes, and brings no event of its own.
      if (received && slot.has(Slot::ending) && slot.has(Slot::wants_receive)) {
        slot.set(Slot::readable);
        enqueue(slot, channel.index);
      }
      return received;
    }
    return perform_receive_datagrams(slot, channel, completion);
  }
  constexpr std::uint16_t acceptable = Slot::readable | Slot::wants_accept;
  if ((slot.flags & acceptable) == acceptable) return perform_accept(slot, channel, completion);
  // News that no order stands for (a paused reader, a second edge) is remembered in the flags.
  return false;
}

bool ReadinessPoller::perform_close(Slot& slot, Channel channel, Completion& completion) {
  begin_completion(completion, Operation::close, slot, channel, counters_);
  release(channel);
  return true;
}

bool ReadinessPoller::perform_connect(Slot& slot, Channel channel, Completion& completion) {
  // Readable alone says nothing about the connection: a connect error is the write side's, and
  // reading it would take it away (netty/netty#7738).
  if (!slot.has(Slot::writable)) return false;
  int errno_value = 0;
  socklen_t size = sizeof errno_value;
  if (::getsockopt(slot.fd, SOL_SOCKET, SO_ERROR, &errno_value, &size) != 0) errno_value = errno;
  slot.clear(Slot::wants_connect);
  begin_completion(completion, Operation::connect, slot, channel, counters_);
  if (errno_value != 0) completion.error = posix::error_from(errno_value);
  return true;
}

bool ReadinessPoller::perform_send(Slot& slot, Channel channel, Completion& completion) {
  slot.clear(Slot::wants_send);
  begin_completion(completion, Operation::send, slot, channel, counters_);
  completion.count = 0;  // a readiness kernel only says: try again
  if (slot.has(Slot::readable)) enqueue(slot, channel.index);
  return true;
}

// A receive that found the end, an error, or possibly not all there is.
[[gnu::noinline]] bool ReadinessPoller::receive_unusual(Slot& slot, Channel channel,
                                                        ssize_t received, Completion& completion) {
  if (received < 0) {
    return receive_failed(slot, channel, static_cast<int>(-received), completion);
  }
  if (received == 0) {
    slot.clear(Slot::readable | Slot::wants_receive);
  } else {
    enqueue(slot, channel.index);  // more is, or may be, there: after everybody else
  }
  deliver(slot, channel, static_cast<std::size_t>(received), completion);
  return true;
}

bool ReadinessPoller::receive_failed(Slot& slot, Channel channel, int errno_value,
                                     Completion& completion) {
  const ErrorClass error = posix::classify(errno_value);
  if (error == ErrorClass::would_block) {
    ++counters_.would_blocks;
    // Exhausted after all: it was not an end that the kernel spoke of, but an urgent byte.
    slot.clear(Slot::readable | Slot::ending);
    return false;
  }
  // Interrupted, or no memory for the moment: the socket is still readable.
  if (is_passing(error)) {
    retry(slot, channel.index, error);
    return false;
  }
  slot.clear(Slot::readable | Slot::wants_receive);
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  completion.error = posix::error_from(errno_value);
  completion.bytes = {};
  return true;
}

bool ReadinessPoller::perform_receive_datagrams(Slot& slot, Channel channel,
                                                Completion& completion) {
  ++counters_.receive_calls;
  const int received = batch_->receive(slot.fd);
  if (received < 0) {
    const int errno_value = errno;
    const ErrorClass error = posix::classify(errno_value);
    if (error == ErrorClass::would_block) {
      ++counters_.would_blocks;
      slot.clear(Slot::readable | Slot::ending);
      return false;
    }
    if (is_passing(error)) {
      retry(slot, channel.index, error);
      return false;
    }
    enqueue(slot, channel.index);
    begin_completion(completion, Operation::receive, slot, channel, counters_);
    completion.error = posix::error_from(errno_value);  // a bounced send, most often
    completion.datagrams = {};
    return true;
  }
  // An error that interrupts a batch is kept for the next call, by the kernel if it has batches.
  if (static_cast<std::size_t>(received) == datagrams_max || slot.has(Slot::ending)) {
    enqueue(slot, channel.index);
  } else {
    slot.clear(Slot::readable);
  }
  if (batch_->error_behind() != 0) {
    queue_completion(channel, Operation::receive, batch_->error_behind());
  }
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  completion.datagrams = batch_->received();
  for (const Datagram& each : completion.datagrams) counters_.received_bytes += each.bytes.size();
  counters_.received_datagrams += static_cast<std::uint64_t>(received);
  return true;
}

bool ReadinessPoller::perform_accept(Slot& slot, Channel channel, Completion& completion) {
  const int fd = posix::accept_socket(slot.fd);
  const int errno_value = fd < 0 ? errno : 0;
  const ErrorClass error = fd < 0 ? posix::classify(errno_value) : ErrorClass::none;
  if (error == ErrorClass::would_block) {
    ++counters_.would_blocks;
    slot.clear(Slot::readable);
    return false;
  }
  // Others may wait behind this one: a connect storm is worked off in this turn, up to a bound.
  // Without room for another connection, though, trying again can only fail again: the listener
  // stays readable, and is tried with its next event or order.
  if (fd >= 0 && accepts_left_ > 0) {
    --accepts_left_;
    enqueue_first(slot, channel.index);
  } else if (fd >= 0 || !is_lack_of_room(error)) {
    enqueue(slot, channel.index);
  }
  if (error == ErrorClass::interrupted) return false;
  begin_completion(completion, Operation::accept, slot, channel, counters_);
  if (fd < 0) {
    completion.error = posix::error_from(errno_value);
    completion.accepted = {};
  } else {
    completion.accepted = {fd, SocketKind::stream};
  }
  return true;
}

}  // namespace tern::readiness
