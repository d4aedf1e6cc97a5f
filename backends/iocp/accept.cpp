// Accepting: sockets made in advance, and AcceptEx to fill them.
#include <algorithm>

#include "backends/iocp/iocp.hpp"

namespace tern::iocp {
namespace {

// Under way for each listener. One alone would let a connection in for each turn.
constexpr unsigned accepts_max = 16;
// AcceptEx writes two addresses, each with 16 bytes more than the longest of its family.
constexpr DWORD address_bytes = sizeof(sockaddr_in6) + 16;

}  // namespace

void Poller::accept(Channel channel) {
  Slot& ordered = slots_.checked(channel);
  ordered.set(Slot::wants_accept);
  ordered.clear(Slot::backing_off);
  if (!ordered.listening->accepted.empty()) enqueue(ordered, channel);
  change(ordered, channel);
}

// The kernel's queue is looked at first: whoever leaves it meanwhile is found in an accept that has
// ended, whose packet has not been taken.
bool Poller::has_waiting(Channel channel) const {
  const Listening& listening = *slots_[channel.index].listening;
  return !listening.accepted.empty() || winsock::has_waiting(socket(channel)) ||
         std::any_of(listening.posted.begin(), listening.posted.end(),
                     [](const OverlappedOp* op) { return op->has_ended(); });
}

void Poller::post_accepts(Slot& slot, Channel channel) {
  while (slot.listening->posted.size() + slot.listening->accepted.size() < accepts_max) {
    if (!post_accept(slot, channel)) {
      back_off(slot, channel);
      return;
    }
  }
}

// No bytes are waited for with the connection: a client that says nothing would never be let in.
bool Poller::post_accept(Slot& slot, Channel channel) {
  const SOCKET fresh = winsock::open_socket(slot.listening->family, SOCK_STREAM);
  if (fresh == INVALID_SOCKET) {
    queue_completion(channel, Operation::accept, ::WSAGetLastError());
    return false;
  }
  OverlappedOp& op = begin(slot, channel, Operation::accept);
  op.accepting = fresh;
  op.memory.reset(new std::byte[2 * address_bytes]);
  DWORD received = 0;
  const BOOL accepted = port_.accept_ex()(slot.handle, fresh, op.memory.get(), 0, address_bytes,
                                          address_bytes, &received, &op.overlapped);
  const int error = accepted ? 0 : ::WSAGetLastError();
  if (error == 0 && slot.is(Slot::skips)) op.accepting = INVALID_SOCKET;
  switch (begun(slot, op, error)) {
    case Begun::pending:
      return true;
    case Begun::done:
      slot.listening->accepted.push_back(fresh);
      enqueue(slot, channel);
      return true;
    case Begun::failed:
      break;
  }
  queue_completion(channel, Operation::accept, error);
  return false;
}

bool Poller::finished_accept(Slot& slot, Channel channel, SOCKET accepted, int error,
                             Completion& completion) {
  change(slot, channel);
  const bool is_wanted = slot.is(Slot::wants_accept);
  if (error == 0) {
    if (is_wanted) return deliver_accept(slot, channel, accepted, completion);
    slot.listening->accepted.push_back(accepted);  // a connection waits for the order
    return false;
  }
  // An error that nobody wants to hear does not wait, and nobody has cancelled.
  if (!is_wanted || error == WSA_OPERATION_ABORTED) return false;
  begin_completion(completion, Operation::accept, slot, channel, counters_);
  completion.error = winsock::error_from(error);
  completion.accepted = {};
  return true;
}

// The connection becomes a socket like any other: until it is told whose it is, it knows neither
// its addresses nor how to be shut down.
bool Poller::deliver_accept(Slot& slot, Channel channel, SOCKET accepted, Completion& completion) {
  begin_completion(completion, Operation::accept, slot, channel, counters_);
  completion.accepted = {static_cast<std::intptr_t>(accepted), SocketKind::stream};
  if (::setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                   reinterpret_cast<const char*>(&slot.handle), sizeof slot.handle) != 0) {
    completion.error = winsock::error_from(::WSAGetLastError());
    completion.accepted = {};
    ::closesocket(accepted);
  }
  return true;
}

}  // namespace tern::iocp
