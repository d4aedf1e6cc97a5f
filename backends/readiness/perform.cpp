// perform(): the one call that a ready socket gets in a turn, and what becomes of its result.
#include <cassert>
#include <cerrno>

#include "backends/readiness/channels.hpp"

namespace tern::readiness {
namespace {

bool would_block(int errno_value) { return errno_value == EAGAIN || errno_value == EWOULDBLOCK; }

bool is_lack_of_room(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
         errno_value == ENOMEM;
}

void fill(Completion& completion, Operation operation, const Slot& slot, std::uint32_t index) {
  completion.operation = operation;
  completion.owner = slot.owner;
  completion.channel = {index, slot.generation};
  completion.error.clear();
}

}  // namespace

bool Channels::perform(Slot& slot, std::uint32_t index, Completion& completion) {
  constexpr std::uint16_t rare = Slot::closing | Slot::wants_connect | Slot::wants_send;
  if (slot.has(rare)) [[unlikely]] {
    if (slot.has(Slot::closing)) return perform_close(slot, index, completion);
    if (slot.has(Slot::wants_connect)) return perform_connect(slot, index, completion);
    // Sending first: it frees the caller's memory, receiving fills it.
    if (slot.has(Slot::writable)) return perform_send(slot, index, completion);
  }
  constexpr std::uint16_t receivable = Slot::readable | Slot::wants_receive;
  if ((slot.flags & receivable) == receivable) {
    if (slot.kind == SocketKind::stream) [[likely]] {
      return perform_receive(slot, index, completion);
    }
    return perform_receive_datagrams(slot, index, completion);
  }
  constexpr std::uint16_t acceptable = Slot::readable | Slot::wants_accept;
  if ((slot.flags & acceptable) == acceptable) return perform_accept(slot, index, completion);
  // News that no order stands for (a paused reader, a second edge) is remembered in the flags.
  return false;
}

bool Channels::perform_close(Slot& slot, std::uint32_t index, Completion& completion) {
  fill(completion, Operation::close, slot, index);
  ++counters_.completions;
  give_back({index, slot.generation});
  return true;
}

bool Channels::perform_connect(Slot& slot, std::uint32_t index, Completion& completion) {
  // Readable alone says nothing about the connection: a connect error is the write side's, and
  // reading it would take it away (netty/netty#7738).
  if (!slot.has(Slot::writable)) return false;
  int errno_value = 0;
  socklen_t size = sizeof errno_value;
  if (::getsockopt(slot.fd, SOL_SOCKET, SO_ERROR, &errno_value, &size) != 0) errno_value = errno;
  slot.clear(Slot::wants_connect);
  fill(completion, Operation::connect, slot, index);
  if (errno_value != 0) completion.error = posix::error_from(errno_value);
  ++counters_.completions;
  return true;
}

bool Channels::perform_send(Slot& slot, std::uint32_t index, Completion& completion) {
  slot.clear(Slot::wants_send);
  fill(completion, Operation::send, slot, index);
  completion.count = 0;  // a readiness kernel only says: try again
  ++counters_.completions;
  if (slot.has(Slot::readable)) enqueue(slot, index);
  return true;
}

bool Channels::perform_receive(Slot& slot, std::uint32_t index, Completion& completion) {
  ++counters_.receive_calls;
  const ssize_t received = ::recv(slot.fd, receive_buffer_.get(), receive_bytes_, 0);
  if (received <= 0) [[unlikely]] {
    if (received < 0) return receive_failed(slot, index, completion);
    slot.clear(Slot::readable | Slot::wants_receive);
  } else if (static_cast<std::size_t>(received) == receive_bytes_ || slot.has(Slot::ending)) {
    enqueue(slot, index);  // more is, or may be, there: after everybody else
  } else {
    slot.clear(Slot::readable);
  }
  fill(completion, Operation::receive, slot, index);
  completion.bytes = {receive_buffer_.get(), static_cast<std::size_t>(received)};
  counters_.received_bytes += static_cast<std::size_t>(received);
  ++counters_.completions;
  return true;
}

bool Channels::receive_failed(Slot& slot, std::uint32_t index, Completion& completion) {
  const int errno_value = errno;
  if (would_block(errno_value)) {
    ++counters_.would_blocks;
    slot.clear(Slot::readable);
    return false;
  }
  // Interrupted, or no memory for the moment: the socket is still readable.
  if (errno_value == EINTR || errno_value == ENOMEM || errno_value == ENOBUFS) {
    enqueue(slot, index);
    return false;
  }
  slot.clear(Slot::readable | Slot::wants_receive);
  fill(completion, Operation::receive, slot, index);
  completion.error = posix::error_from(errno_value);
  completion.bytes = {};
  ++counters_.completions;
  return true;
}

bool Channels::perform_receive_datagrams(Slot& slot, std::uint32_t index, Completion& completion) {
  ++counters_.receive_calls;
  const int received = batch_->receive(slot.fd);
  if (received < 0) {
    const int errno_value = errno;
    if (would_block(errno_value)) {
      ++counters_.would_blocks;
      slot.clear(Slot::readable | Slot::ending);
      return false;
    }
    enqueue(slot, index);
    if (errno_value == EINTR || errno_value == ENOMEM || errno_value == ENOBUFS) return false;
    fill(completion, Operation::receive, slot, index);
    completion.error = posix::error_from(errno_value);  // a bounced send, most often
    completion.datagrams = {};
    ++counters_.completions;
    return true;
  }
  // An error that interrupts a batch is kept by the kernel for the next call.
  if (static_cast<std::size_t>(received) == datagrams_max || slot.has(Slot::ending)) {
    enqueue(slot, index);
  } else {
    slot.clear(Slot::readable);
  }
  fill(completion, Operation::receive, slot, index);
  completion.datagrams = batch_->received();
  for (const Datagram& each : completion.datagrams) counters_.received_bytes += each.bytes.size();
  counters_.received_datagrams += static_cast<std::uint64_t>(received);
  ++counters_.completions;
  return true;
}

bool Channels::perform_accept(Slot& slot, std::uint32_t index, Completion& completion) {
  const int fd = posix::accept_socket(slot.fd);
  const int errno_value = errno;
  if (fd < 0 && would_block(errno_value)) {
    ++counters_.would_blocks;
    slot.clear(Slot::readable);
    return false;
  }
  // Others may wait behind this one. Without room for another connection, though, trying again can
  // only fail again: the listener stays readable, and is tried with its next event or order.
  if (fd >= 0 || !is_lack_of_room(errno_value)) enqueue(slot, index);
  if (fd < 0 && errno_value == EINTR) return false;
  fill(completion, Operation::accept, slot, index);
  if (fd < 0) {
    completion.error = posix::error_from(errno_value);
    completion.accepted = {};
  } else {
    completion.accepted = {fd, SocketKind::stream};
    if (accepts_left_ > 0) {  // a connect storm is worked off in this turn, up to a bound
      --accepts_left_;
      ++turn_left_;
    }
  }
  ++counters_.completions;
  return true;
}

}  // namespace tern::readiness
