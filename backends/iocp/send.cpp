// Sends: of streams from the caller's memory; of datagrams at once, or from a copy.
#include <algorithm>
#include <array>
#include <cstring>

#include "backends/iocp/iocp.hpp"

namespace tern::iocp {
namespace {

// What one operation takes at most; its count is a DWORD.
constexpr std::size_t bytes_max = 1U << 30U;

}  // namespace

std::size_t Poller::send(Channel channel, std::span<const Slice> slices) {
  Slot& sending = slots_.checked(channel);
  assert(!sending.is(Slot::wants_send) && "at most one send per channel is unfinished");
  std::array<WSABUF, slices_max> parts;
  std::size_t count = 0;
  std::size_t offered = 0;
  std::size_t looked_at = 0;
  for (const Slice slice : slices) {
    offered += slice.size();
    if (slice.empty() || count == parts.size() || looked_at == bytes_max) continue;
    const std::size_t size = std::min(slice.size(), bytes_max - looked_at);
    auto* const bytes = reinterpret_cast<char*>(const_cast<std::byte*>(slice.data()));
    parts[count++] = {static_cast<ULONG>(size), bytes};
    looked_at += size;
  }
  if (offered == 0) return 0;
  ++counters_.send_calls;
  OverlappedOp& op = begin(sending, channel, Operation::send);
  DWORD sent = 0;
  const int result = ::WSASend(sending.handle, parts.data(), static_cast<DWORD>(count), &sent, 0,
                               &op.overlapped, nullptr);
  const int error = result == 0 ? 0 : ::WSAGetLastError();
  // Done at once: the bytes are the kernel's, whether or not there will be a packet about it.
  if (error == 0) op.is_told = true;
  const Begun begun_so = begun(sending, op, error);
  if (error == 0) {
    counters_.sent_bytes += sent;
    if (sent == offered) return sent;
    sending.set(Slot::wants_send);
    enqueue(sending, channel);
    return sent;
  }
  sending.set(Slot::wants_send);
  if (begun_so == Begun::pending) {
    sending.set(Slot::sending);
  } else if (is_passing(winsock::classify(error))) {
    ++counters_.would_blocks;
    back_off(sending, channel);
  } else {
    sending.set(Slot::sending);  // until the failure is told
    queue_completion(channel, Operation::send, error);
  }
  return 0;
}

bool Poller::finished_send(Slot& slot, Channel channel, std::size_t count, int error,
                           Completion& completion) {
  slot.clear(Slot::sending);
  if (slot.kind == SocketKind::datagram) {
    // A copy has left or was refused; that there is room again is news only to who was turned away.
    if (error != 0) queue_completion(channel, Operation::send, error);
    if (!slot.is(Slot::wants_send)) return false;
    count = 0;
    error = 0;
  }
  slot.clear(Slot::wants_send);
  begin_completion(completion, Operation::send, slot, channel, counters_);
  completion.count = count;
  counters_.sent_bytes += count;
  // Cancelled by nobody of ours, or no memory: what was taken counts, the rest is offered again.
  if (error != 0 && !is_passing(winsock::classify(error))) {
    completion.error = winsock::error_from(error);
    completion.count = 0;
  }
  return true;
}

// Nothing says when there is room for datagrams, so one that finds none is copied, and its sending
// left to the kernel. 0 or an error.
int Poller::send_copy(Slot& slot, Channel channel, const Datagram& datagram) {
  OverlappedOp& op = begin(slot, channel, Operation::send);
  op.memory.reset(new std::byte[datagram.bytes.size() + 1]);
  if (!datagram.bytes.empty()) {
    std::memcpy(op.memory.get(), datagram.bytes.data(), datagram.bytes.size());
  }
  WSABUF copy{static_cast<ULONG>(datagram.bytes.size()), reinterpret_cast<char*>(op.memory.get())};
  const bool is_connected = datagram.peer.family() == Family::none;
  const winsock::Address address(datagram.peer);
  const int result =
      ::WSASendTo(slot.handle, &copy, 1, nullptr, 0, is_connected ? nullptr : address.get(),
                  is_connected ? 0 : address.size, &op.overlapped, nullptr);
  const int error = result == 0 ? 0 : ::WSAGetLastError();
  switch (begun(slot, op, error)) {
    case Begun::pending:
      slot.set(Slot::sending);
      return 0;
    case Begun::done:
      return 0;
    case Begun::failed:
      break;
  }
  return error;
}

// One at a time. The first that finds no room is copied; while a copy is under way there is none.
std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  Slot& sending = slots_.checked(channel);
  assert(!sending.is(Slot::wants_send) && "at most one send per channel is unfinished");
  const auto send_one = [&](std::span<const Datagram> rest) {
    if (sending.is(Slot::sending)) return -WSAEWOULDBLOCK;
    ++counters_.send_calls;
    int error = winsock::send_datagram(sending.handle, rest.front());
    if (error == WSAEWOULDBLOCK) {
      ++counters_.would_blocks;
      error = send_copy(sending, channel, rest.front());
    }
    return error == 0 ? 1 : -error;
  };
  const DatagramsTaken taken = send_datagrams(
      datagrams, counters_, send_one, winsock::classify,
      [this, channel](int error) { queue_completion(channel, Operation::send, error); });
  if (taken.stopped_by != ErrorClass::none) sending.set(Slot::wants_send);
  if (taken.stopped_by != ErrorClass::none && !sending.is(Slot::sending)) {
    back_off(sending, channel);
  }
  return taken.count;
}

}  // namespace tern::iocp
