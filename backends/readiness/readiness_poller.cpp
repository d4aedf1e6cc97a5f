#include "backends/readiness/readiness_poller.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace tern::readiness {

ReadinessPoller::ReadinessPoller(const PollerOptions& options)
    : receive_bytes_(options.receive_bytes),
      datagram_bytes_(options.datagram_bytes),
      receive_buffer_(new std::byte[options.receive_bytes]) {}

ReadinessPoller::~ReadinessPoller() {
  slots_.for_each([](const Slot& each, Channel) {
    if (!each.is_closing()) Sockets::close({each.fd, each.kind});
  });
}

Channel ReadinessPoller::add(Socket socket, Owner* owner, std::error_code& error) {
  if (socket.kind == SocketKind::datagram && batch_ == nullptr &&
      !has_memory_for([this] { batch_ = std::make_unique<posix::DatagramBatch>(datagram_bytes_); },
                      error)) {
    return {};
  }
  if (!slots_.make_room(error)) return {};
  const Channel channel = slots_.add(socket, owner);
  Slot& added = slots_[channel.index];
  added.fd = static_cast<int>(socket.handle);
  // A fresh socket has room to send; the kernel tells of input by an event.
  added.flags = Slot::writable;
  if (socket.kind == SocketKind::stream) added.set(Slot::stream);
  return channel;
}

Socket ReadinessPoller::socket(Channel channel) const {
  assert(slots_.is_current(channel));
  const Slot& found = slots_[channel.index];
  return {found.fd, found.kind};
}

void ReadinessPoller::enqueue(Slot& slot_to_queue, std::uint32_t index) {
  if (slot_to_queue.has(Slot::queued)) return;
  slot_to_queue.set(Slot::queued);
  slot_to_queue.next = Channel::no_index;
  if (ready_tail_ == Channel::no_index) {
    ready_head_ = index;
  } else {
    slots_[ready_tail_].next = index;
  }
  ready_tail_ = index;
  ++ready_count_;
}

void ReadinessPoller::enqueue_first(Slot& slot_to_queue, std::uint32_t index) {
  assert(!slot_to_queue.has(Slot::queued));
  slot_to_queue.set(Slot::queued);
  slot_to_queue.next = ready_head_;
  ready_head_ = index;
  if (ready_tail_ == Channel::no_index) ready_tail_ = index;
  ++ready_count_;
  ++turn_left_;
}

// The next turn makes the call again that was interrupted or found no memory.
void ReadinessPoller::retry(Slot& slot_to_retry, std::uint32_t index, ErrorClass error) {
  if (error == ErrorClass::no_memory) is_short_of_memory_ = true;
  enqueue(slot_to_retry, index);
}

Duration ReadinessPoller::bounded(Duration limit) const {
  constexpr Duration memory_retry = std::chrono::milliseconds(1);
  const Duration most = is_short_of_memory_ ? memory_retry : Duration::zero();
  return std::clamp(limit, Duration::zero(), most);
}

void ReadinessPoller::begin_turn() {
  is_short_of_memory_ = false;
  turn_left_ = ready_count_;
  queue_.begin_turn();
  accepts_left_ = accepts_per_turn_max;
}

void ReadinessPoller::order(Channel channel, std::uint16_t want) {
  Slot& ordered = slots_.checked(channel);
  ordered.set(want);
  if (ordered.has(Slot::readable)) enqueue(ordered, channel.index);
}

void ReadinessPoller::stop(Channel channel, Operation operation) {
  assert(operation == Operation::accept || operation == Operation::receive);
  slots_.checked(channel).clear(operation == Operation::accept ? Slot::wants_accept
                                                               : Slot::wants_receive);
}

[[gnu::noinline]] bool ReadinessPoller::next_queued_completion(Completion& completion) {
  return queue_.next(slots_, completion, counters_, [](const Slot& slot, Operation operation) {
    // A bounce behind the last datagrams of an order that has been withdrawn since is none.
    return operation != Operation::receive || slot.has(Slot::wants_receive);
  });
}

bool ReadinessPoller::next_queued(Completion& completion) {
  while (turn_left_ > 0) {
    --turn_left_;
    --ready_count_;
    const std::uint32_t index = ready_head_;
    Slot& ready = slots_[index];
    ready_head_ = ready.next;
    if (ready_head_ == Channel::no_index) ready_tail_ = Channel::no_index;
    ready.clear(Slot::queued);
    if (perform(ready, {index, ready.generation}, completion)) return true;
  }
  return queue_.has_turn() && next_queued_completion(completion);
}

void ReadinessPoller::connect(Channel channel, const Endpoint& endpoint) {
  Slot& connecting = slots_.checked(channel);
  const posix::Address address(endpoint);
  // Registering an unconnected socket already brought an event ("hung up"); it means nothing.
  connecting.clear(Slot::readable | Slot::writable | Slot::ending);
  if (::connect(connecting.fd, address.get(), address.size) == 0) {
    // Unix sockets, mostly. The success is told by next() like any other.
    connecting.set(Slot::wants_connect | Slot::writable);
    enqueue(connecting, channel.index);
  } else if (errno == EINPROGRESS || errno == EINTR) {
    connecting.set(Slot::wants_connect);
  } else {
    queue_completion(channel, Operation::connect, posix::connect_error(errno));
  }
}

std::size_t ReadinessPoller::send_many(Channel channel, std::span<const Slice> slices) {
  const Slot& sending = checked_to_send(channel);
  ++counters_.send_calls;
  std::array<iovec, slices_max> parts;
  const std::size_t count = std::min(slices.size(), slices_max);
  std::size_t offered = 0;
  for (std::size_t i = 0; i < count; ++i) {
    parts[i] = {const_cast<std::byte*>(slices[i].data()), slices[i].size()};
    offered += slices[i].size();
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const ssize_t sent = posix::send_message(sending.fd, message);
  const bool took_all = sent == static_cast<ssize_t>(offered);
  std::size_t left = 0;
  for (const Slice slice : slices.subspan(count)) left += slice.size();
  if (!took_all || left > 0) return sent_less(channel, offered + left, sent, !took_all);
  counters_.sent_bytes += offered;
  return offered;
}

// Not all was taken. `is_full`: because the socket has no more room, not because the call could not
// look at all slices.
[[gnu::noinline]] std::size_t ReadinessPoller::sent_less(Channel channel, std::size_t offered,
                                                         ssize_t sent, bool is_full) {
  // The kernel may refuse to send even nothing to a peer that is gone; nothing is still done.
  if (offered == 0) return 0;
  Slot& sending = slots_[channel.index];
  if (sent >= 0) {
    counters_.sent_bytes += static_cast<std::size_t>(sent);
    sending.set(Slot::wants_send);
    if (is_full) {
      sending.clear(Slot::writable);
    } else {
      enqueue(sending, channel.index);
    }
    return static_cast<std::size_t>(sent);
  }
  const auto errno_value = static_cast<int>(-sent);
  if (const ErrorClass error = posix::classify(errno_value); is_passing(error)) {
    wait_for_room(sending, channel.index, error);
  } else {
    queue_completion(channel, Operation::send, errno_value);
  }
  return 0;
}

// Of room an event tells; of memory none, and the next turn tries again.
void ReadinessPoller::wait_for_room(Slot& sending, std::uint32_t index, ErrorClass error) {
  sending.set(Slot::wants_send);
  if (error != ErrorClass::would_block) return retry(sending, index, error);
  ++counters_.would_blocks;
  sending.clear(Slot::writable);
}

std::size_t ReadinessPoller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  Slot& sending = checked_to_send(channel);
  const DatagramsTaken taken = posix::send_datagrams(
      *batch_, sending.fd, datagrams, counters_,
      [this, channel](int error) { queue_completion(channel, Operation::send, error); });
  if (taken.stopped_by != ErrorClass::none) {
    wait_for_room(sending, channel.index, taken.stopped_by);
  }
  return taken.count;
}

void ReadinessPoller::shutdown_send(Channel channel) {
  const Slot& ended = slots_.checked(channel);
  assert(!ended.has(Slot::wants_send) && "a send is unfinished");
  // It fails only when the peer is already gone, which receive() tells.
  (void)::shutdown(ended.fd, SHUT_WR);
}

void ReadinessPoller::close(Channel channel) {
  Slot& closed = slots_.checked(channel);
  Sockets::close({closed.fd, closed.kind});
  const bool was_queued = closed.has(Slot::queued);
  closed.flags = Slot::closing;
  if (was_queued) {
    closed.set(Slot::queued);
  } else {
    enqueue(closed, channel.index);
  }
}

}  // namespace tern::readiness
