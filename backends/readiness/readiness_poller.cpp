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
      receive_buffer_(new std::byte[options.receive_bytes]) {
  chunks_.push_back(std::make_unique<Slot[]>(chunk_slots));
}

ReadinessPoller::~ReadinessPoller() {
  for (std::uint32_t index = 0; index < slots_used_; ++index) {
    Slot& each = slot(index);
    if (each.kind != SocketKind::none && !each.has(Slot::closing)) {
      Sockets::close({each.fd, each.kind});
    }
  }
}

Channel ReadinessPoller::add(Socket socket, Owner* owner) {
  std::uint32_t index = free_head_;
  if (index != Channel::no_index) {
    free_head_ = slot(index).next;
  } else {
    index = slots_used_++;
    if (index / chunk_slots == chunks_.size()) {
      chunks_.push_back(std::make_unique<Slot[]>(chunk_slots));
    }
  }
  if (socket.kind == SocketKind::datagram && batch_ == nullptr) {
    batch_ = std::make_unique<posix::DatagramBatch>(datagram_bytes_);
  }
  Slot& added = slot(index);
  added.owner = owner;
  added.fd = static_cast<int>(socket.handle);
  added.next = Channel::no_index;
  added.kind = socket.kind;
  // A fresh socket has room to send; the kernel tells of input by an event.
  added.flags = Slot::writable;
  if (socket.kind == SocketKind::stream) added.set(Slot::stream);
  return {index, added.generation};
}

void ReadinessPoller::release(Channel channel) {
  Slot& freed = slot(channel.index);
  ++freed.generation;
  freed.kind = SocketKind::none;
  freed.owner = nullptr;
  freed.flags = 0;
  freed.next = free_head_;
  free_head_ = channel.index;
}

Socket ReadinessPoller::socket(Channel channel) const {
  assert(is_current(channel));
  const Slot& found = slot(channel.index);
  return {found.fd, found.kind};
}

void ReadinessPoller::enqueue(Slot& slot_to_queue, std::uint32_t index) {
  if (slot_to_queue.has(Slot::queued)) return;
  slot_to_queue.set(Slot::queued);
  slot_to_queue.next = Channel::no_index;
  if (ready_tail_ == Channel::no_index) {
    ready_head_ = index;
  } else {
    slot(ready_tail_).next = index;
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
void ReadinessPoller::retry(Slot& slot_to_retry, std::uint32_t index, int errno_value) {
  if (errno_value != EINTR) is_short_of_memory_ = true;
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
  failed_left_ = failed_.size();
  accepts_left_ = accepts_per_turn_max;
}

void ReadinessPoller::order(Channel channel, std::uint16_t want) {
  Slot& ordered = checked(channel);
  ordered.set(want);
  if (ordered.has(Slot::readable)) enqueue(ordered, channel.index);
}

void ReadinessPoller::stop(Channel channel, Operation operation) {
  assert(operation == Operation::accept || operation == Operation::receive);
  checked(channel).clear(operation == Operation::accept ? Slot::wants_accept : Slot::wants_receive);
}

void ReadinessPoller::fail(Channel channel, Operation operation, int errno_value) {
  failed_.push_back({channel, operation, posix::error_from(errno_value)});
}

bool ReadinessPoller::next_failed(Completion& completion) {
  while (failed_left_ > 0) {
    --failed_left_;
    const Failed failed = failed_.front();
    failed_.erase(failed_.begin());
    if (!is_current(failed.channel)) continue;
    const Slot& of = slot(failed.channel.index);
    if (of.has(Slot::closing)) continue;
    // A bounce behind the last datagrams of an order that has been withdrawn since.
    if (failed.operation == Operation::receive && !of.has(Slot::wants_receive)) continue;
    fill(completion, failed.operation, of, failed.channel);
    completion.error = failed.error;
    completion.datagrams = {};
    completion.count = 0;
    return true;
  }
  return false;
}

bool ReadinessPoller::next_queued(Completion& completion) {
  while (turn_left_ > 0) {
    --turn_left_;
    --ready_count_;
    const std::uint32_t index = ready_head_;
    Slot& ready = slot(index);
    ready_head_ = ready.next;
    if (ready_head_ == Channel::no_index) ready_tail_ = Channel::no_index;
    ready.clear(Slot::queued);
    if (perform(ready, {index, ready.generation}, completion)) return true;
  }
  return next_failed(completion);
}

void ReadinessPoller::connect(Channel channel, const Endpoint& endpoint) {
  Slot& connecting = checked(channel);
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
    fail(channel, Operation::connect, posix::connect_error(errno));
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
  Slot& sending = slot(channel.index);
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
  if (errno_value == EAGAIN || errno_value == EWOULDBLOCK) {
    ++counters_.would_blocks;
    sending.set(Slot::wants_send);
    sending.clear(Slot::writable);
  } else if (errno_value == EINTR || errno_value == ENOBUFS || errno_value == ENOMEM) {
    // Of these no event will tell: the next turn tries again.
    sending.set(Slot::wants_send);
    retry(sending, channel.index, errno_value);
  } else {
    fail(channel, Operation::send, errno_value);
  }
  return 0;
}

// True when sending may go on. A bounce of an earlier datagram is told once and the current one
// tried again; a datagram that the kernel will never take is told and skipped.
bool ReadinessPoller::skip_refused_datagram(Channel channel, Slot& sending, int errno_value,
                                            bool& retried) {
  if (errno_value == EAGAIN || errno_value == EWOULDBLOCK) {
    ++counters_.would_blocks;
    sending.set(Slot::wants_send);
    sending.clear(Slot::writable);
    return false;
  }
  if (errno_value == EINTR) return true;
  if (errno_value == ENOBUFS || errno_value == ENOMEM) {
    sending.set(Slot::wants_send);
    retry(sending, channel.index, errno_value);
    return false;
  }
  fail(channel, Operation::send, errno_value);
  retried = errno_value == ECONNREFUSED && !retried;
  return true;
}

std::size_t ReadinessPoller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  Slot& sending = checked_to_send(channel);
  std::size_t taken = 0;
  bool retried = false;
  while (taken < datagrams.size()) {
    ++counters_.send_calls;
    const int sent = batch_->send(sending.fd, datagrams.subspan(taken));
    if (sent < 0) {
      const int errno_value = errno;
      if (!skip_refused_datagram(channel, sending, errno_value, retried)) break;
      if (errno_value != EINTR && !retried) ++taken;
      continue;
    }
    retried = false;
    for (int i = 0; i < sent; ++i) counters_.sent_bytes += datagrams[taken++].bytes.size();
    counters_.sent_datagrams += static_cast<std::uint64_t>(sent);
  }
  return taken;
}

void ReadinessPoller::shutdown_send(Channel channel) {
  const Slot& ended = checked(channel);
  assert(!ended.has(Slot::wants_send) && "a send is unfinished");
  // It fails only when the peer is already gone, which receive() tells.
  (void)::shutdown(ended.fd, SHUT_WR);
}

void ReadinessPoller::close(Channel channel) {
  Slot& closed = checked(channel);
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
