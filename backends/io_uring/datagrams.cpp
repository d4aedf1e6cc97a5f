// Datagrams: received by a standing recvmsg, each into a buffer of its own, and handed out in
// batches; sent at once, many in a call.
#include <algorithm>
#include <cstring>

#include "backends/io_uring/io_uring.hpp"
#include "backends/io_uring/mark.hpp"

namespace tern::io_uring {

static_assert(datagram_head_bytes == sizeof(io_uring_recvmsg_out) + sizeof(sockaddr_storage));

// The kernel has written a head, room for the address, and the bytes.
Datagram Poller::datagram_in(const std::byte* memory, int value) const {
  io_uring_recvmsg_out head;
  sockaddr_storage address;
  std::memcpy(&head, memory, sizeof head);
  std::memcpy(&address, memory + sizeof head, sizeof address);
  const std::size_t room = static_cast<std::size_t>(value) - datagram_head_bytes;
  Datagram datagram;
  datagram.bytes = {memory + datagram_head_bytes, std::min<std::size_t>(head.payloadlen, room)};
  datagram.peer = posix::endpoint_from(address, head.namelen);
  datagram.truncated = (head.flags & MSG_TRUNC) != 0;
  return datagram;
}

// All that is held, up to a batch; or the error that comes first.
void Poller::deliver_datagrams(Slot& slot, Channel channel, Completion& completion) {
  slot.turn = turn_number_;
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  completion.datagrams = {};
  current_has_more_ = true;
  std::size_t count = 0;
  while (slot.held_count > 0 && count < datagrams_max) {
    if (backlog_.first(slot).value < 0) {
      if (count == 0) completion.error = posix::error_from(-backlog_.pop(slot).value);
      break;
    }
    current_datagrams_.push_back(backlog_.pop(slot));
    const Held& held = current_datagrams_.back();
    const std::byte* const memory =
        held.copy != nullptr ? held.copy.get() : datagram_buffers_.at(held.buffer);
    datagrams_[count] = datagram_in(memory, held.value);
    counters_.received_bytes += datagrams_[count].bytes.size();
    ++count;
  }
  completion.datagrams = {datagrams_.data(), count};
  counters_.received_datagrams += count;
}

std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  Slot& sending = slots_.checked(channel);
  assert(!sending.is(Slot::wants(Operation::send)) && "at most one send per channel is unfinished");
  const DatagramsTaken taken = posix::send_datagrams(
      *batch_, sending.fd, datagrams, counters_,
      [this, channel](int error) { queue_completion(channel, Operation::send, error); });
  if (taken.stopped_by != ErrorClass::none) {
    ++counters_.would_blocks;
    sending.set(Slot::wants(Operation::send));
    change(sending, channel);
  }
  return taken.count;
}

}  // namespace tern::io_uring
