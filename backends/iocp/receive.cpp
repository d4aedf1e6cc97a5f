// Receiving: an operation that takes nothing says when there is something, a plain call takes it.
#include <utility>

#include "backends/iocp/iocp.hpp"

namespace tern::iocp {
namespace {

// Wine tells of a reset only who waits for it; to others it looks like the end. But then the socket
// has no peer any more, which after an orderly end it has as long as our side is open.
bool is_reset(const Slot& slot) {
  if (slot.is(Slot::said_all)) return false;
  winsock::Address peer;
  return ::getpeername(slot.handle, peer.get(), &peer.size) != 0 &&
         ::WSAGetLastError() == WSAENOTCONN;
}

}  // namespace

void Poller::receive(Channel channel) {
  Slot& ordered = slots_.checked(channel);
  ordered.set(Slot::wants_receive);
  if (ordered.is(Slot::readable)) {
    enqueue(ordered, channel);
  } else if (!ordered.is(Slot::armed | Slot::backing_off)) {
    arm(ordered, channel);
  }
}

// A stream is asked for no bytes, so that its memory is locked only when there is something. Of a
// datagram no bytes would be an error of the kind that brings a packet on some systems and none on
// others; it is looked at, without taking it, in a place that nobody reads and all channels share.
void Poller::arm(Slot& slot, Channel channel) {
  OverlappedOp& op = begin(slot, channel, Operation::receive);
  slot.set(Slot::armed);
  WSABUF room{0, nullptr};
  if (slot.kind == SocketKind::datagram) {
    room = {look_bytes, reinterpret_cast<char*>(look_room_.get())};
    op.flags = MSG_PEEK;
  }
  const int result = ::WSARecv(slot.handle, &room, 1, nullptr, &op.flags, &op.overlapped, nullptr);
  const int error = result == 0 ? 0 : ::WSAGetLastError();
  if (begun(slot, op, error) == Begun::pending) return;
  slot.clear(Slot::armed);
  if (winsock::classify(error) == ErrorClass::no_memory) return back_off(slot, channel);
  on_receive_packet(slot, error);
  enqueue(slot, channel);
}

// No bytes have come, which says nothing: whether it is the end is for the plain call to find out.
void Poller::on_receive_packet(Slot& slot, int error) {
  slot.set(Slot::readable);
  // Cancelled by nobody of ours: its thread has ended, and there is nothing to tell.
  if (error != WSA_OPERATION_ABORTED) slot.receive_error = error;
}

// All there is was taken. The next operation is asked for at once, not when the order is next
// looked at: a peer that vanishes while none is under way is told as an orderly end by Wine.
void Poller::exhausted(Slot& slot, Channel channel) {
  slot.clear(Slot::readable);
  if (slot.is(Slot::wants_receive)) arm(slot, channel);
}

bool Poller::perform_receive(Slot& slot, Channel channel, Completion& completion) {
  return slot.kind == SocketKind::datagram ? receive_datagrams(slot, channel, completion)
                                           : receive_stream(slot, channel, completion);
}

bool Poller::receive_stream(Slot& slot, Channel channel, Completion& completion) {
  ++counters_.receive_calls;
  const int received = ::recv(slot.handle, reinterpret_cast<char*>(receive_buffer_.get()),
                              static_cast<int>(receive_bytes_), 0);
  if (received > 0) [[likely]] {
    const auto count = static_cast<std::size_t>(received);
    if (count == receive_bytes_ || slot.receive_error != 0) {
      enqueue(slot, channel);  // more is, or may be, there: after everybody else
    } else {
      exhausted(slot, channel);
    }
    begin_completion(completion, Operation::receive, slot, channel, counters_);
    completion.bytes = {receive_buffer_.get(), count};
    counters_.received_bytes += count;
    return true;
  }
  int error = received == 0 ? 0 : ::WSAGetLastError();
  if (received == 0 && is_reset(slot)) error = WSAECONNRESET;
  // What the operation told stands behind all bytes.
  if (error == WSAEWOULDBLOCK && slot.receive_error == 0) {
    return nothing_received(slot, channel, error);
  }
  const int told = slot.receive_error != 0 ? slot.receive_error : error;
  if (winsock::classify(told) == ErrorClass::no_memory)
    return nothing_received(slot, channel, told);
  slot.clear(Slot::readable | Slot::wants_receive);
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  completion.bytes = {};
  if (told != 0) completion.error = winsock::error_from(told);
  return true;
}

// The socket is as good as before, only there was nothing, or no memory.
bool Poller::nothing_received(Slot& slot, Channel channel, int error) {
  slot.receive_error = 0;
  if (error == WSAEWOULDBLOCK) {
    ++counters_.would_blocks;
    exhausted(slot, channel);
  } else {
    back_off(slot, channel);
  }
  return false;
}

bool Poller::receive_datagrams(Slot& slot, Channel channel, Completion& completion) {
  int error = std::exchange(slot.receive_error, 0);
  std::span<const Datagram> received;
  if (error == 0) {
    ++counters_.receive_calls;
    error = batch_->receive(slot.handle);
    received = batch_->received();
  }
  if (received.empty() && is_passing(winsock::classify(error))) {
    return nothing_received(slot, channel, error);
  }
  if (error == WSAEWOULDBLOCK) {
    exhausted(slot, channel);
  } else {
    enqueue(slot, channel);
  }
  begin_completion(completion, Operation::receive, slot, channel, counters_);
  completion.datagrams = received;
  if (received.empty()) {
    completion.error = winsock::error_from(error);  // a bounced send, most often
    return true;
  }
  if (error != WSAEWOULDBLOCK) slot.receive_error = error;  // the next turn's
  for (const Datagram& each : received) counters_.received_bytes += each.bytes.size();
  counters_.received_datagrams += received.size();
  return true;
}

}  // namespace tern::iocp
