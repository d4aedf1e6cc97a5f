// iocp: Windows is told the operations in advance and puts a packet into a port for each that ends.
//
// Object  A completion port: a queue of packets in the kernel. A socket is bound to one port, for
//         good, and may have many operations under way, each known by its OVERLAPPED's address.
// Start   A listener has several AcceptEx under way, each with a socket made in advance. connect is
//         ConnectEx. send is WSASend of the caller's slices. A channel that receives has one
//         WSARecv of no bytes under way, which ends when there is something to receive and locks no
//         memory until then; a plain recv then fills the one buffer that all channels share.
// Finish  GetQueuedCompletionStatusEx takes a batch of packets each turn; next() finds the
//         operation by the packet's OVERLAPPED, and its slot. What is done at once tells so in the
//         answer of its call; it brings a packet all the same unless that was switched off for the
//         socket, and where it does, the packet only says that the OVERLAPPED is free. close()
//         cancels what is under way, takes the packet of each, and only then closes the socket.
//         stop() cancels nothing: what ends meanwhile is remembered, and who was accepted is kept.
// Wake    A packet of our own without an operation, posted by the first of many wakes. The flag is
//         lowered when it is taken, before anybody looks for posted work.
// Limits  Windows 10. A port cannot say that a socket has become writable, so a datagram that finds
//         no room waits in a copy. Timeouts are whole milliseconds, and the clock of waits ticks
//         every 15 of them or less. Sockets by path are refused. A port is never shared.
//         Microsoft's reference: "I/O Completion Ports", "AcceptEx", "ConnectEx", "WSARecv".
#include "backends/iocp/iocp.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tern::iocp {
namespace {

Time read_clock() { return std::chrono::steady_clock::now(); }

}  // namespace

Poller::Poller(const PollerOptions& options)
    : now_(read_clock()),
      receive_bytes_(options.receive_bytes),
      datagram_bytes_(options.datagram_bytes),
      receive_buffer_(new std::byte[options.receive_bytes]) {}

// Whatever is under way is cancelled, and its memory stays until its packet has been taken.
Poller::~Poller() {
  slots_.for_each([](const Slot& each, Channel) {
    if (each.operations > 0) ::CancelIoEx(reinterpret_cast<HANDLE>(each.handle), nullptr);
  });
  const Time patience_end = read_clock() + std::chrono::seconds(5);
  while (overlapped_pool_.under_way() > 0 && read_clock() < patience_end) {
    while (const OVERLAPPED_ENTRY* packet = port_.next()) {
      if (packet->lpOverlapped == nullptr) continue;
      OverlappedOp& op = OverlappedOp::of(*packet->lpOverlapped);
      end(slots_[op.channel.index], op);
    }
    if (overlapped_pool_.under_way() > 0) port_.wait(std::chrono::milliseconds(100));
  }
  slots_.for_each([](const Slot& each, Channel) {
    if (each.listening != nullptr) {
      for (const SOCKET accepted : each.listening->accepted) ::closesocket(accepted);
    }
    if (each.handle != INVALID_SOCKET) ::closesocket(each.handle);
  });
  if (overlapped_pool_.under_way() > 0) overlapped_pool_.abandon();
}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  std::unique_ptr<Listening> listening;
  if (!slots_.make_room(error)) return {};
  const auto make_room = [&] {
    reserve(slots_.capacity());
    if (socket.kind == SocketKind::listener) listening = std::make_unique<Listening>();
    if (socket.kind != SocketKind::datagram || batch_ != nullptr) return;
    look_room_.reset(new std::byte[look_bytes]);
    batch_ = std::make_unique<winsock::DatagramBatch>(datagram_bytes_);
  };
  if (!has_memory_for(make_room, error)) return {};
  const SOCKET handle = winsock::handle_of(socket);
  if (const int failure = port_.watch(handle); failure != 0) {
    error = winsock::error_from(failure);
    return {};
  }
  const Channel channel = slots_.add(socket, owner);
  Slot& added = slots_[channel.index];
  added.handle = handle;
  if (socket.kind != SocketKind::datagram && port_.skip_packets(handle)) added.set(Slot::skips);
  if (listening != nullptr) listening->family = Sockets::local(socket).family();
  added.listening = std::move(listening);
  return channel;
}

Socket Poller::socket(Channel channel) const {
  assert(slots_.is_current(channel));
  const Slot& found = slots_[channel.index];
  return {static_cast<std::intptr_t>(found.handle), found.kind};
}

void Poller::stop(Channel channel, Operation operation) {
  assert(operation == Operation::accept || operation == Operation::receive);
  slots_.checked(channel).clear(operation == Operation::accept ? Slot::wants_accept
                                                               : Slot::wants_receive);
}

void Poller::shutdown_send(Channel channel) {
  Slot& ended = slots_.checked(channel);
  assert(!ended.is(Slot::wants_send) && "a send is unfinished");
  ended.set(Slot::said_all);
  // It fails only when the peer is already gone, which receive() tells.
  (void)::shutdown(ended.handle, SD_SEND);
}

// An operation of the slot, all of it written down before the call: its packet may be taken by the
// time that the call returns.
OverlappedOp& Poller::begin(Slot& slot, Channel channel, Operation operation) {
  ++slot.operations;
  OverlappedOp& op = overlapped_pool_.take(channel, operation);
  if (operation == Operation::accept) slot.listening->posted.push_back(&op);
  return op;
}

// `error` is what the call said. Where no packet will come the operation is over.
Poller::Begun Poller::begun(Slot& slot, OverlappedOp& op, int error) {
  if (error == WSA_IO_PENDING || (error == 0 && !slot.is(Slot::skips))) return Begun::pending;
  end(slot, op);
  return error == 0 ? Begun::done : Begun::failed;
}

void Poller::end(Slot& slot, OverlappedOp& op) {
  if (op.accepting != INVALID_SOCKET) {
    ::closesocket(op.accepting);
    op.accepting = INVALID_SOCKET;
  }
  if (op.operation == Operation::accept) std::erase(slot.listening->posted, &op);
  --slot.operations;
  overlapped_pool_.release(op);
}

// The socket goes when nothing is under way on it any more. Closing it earlier would leave the
// memory of operations to the kernel, and with a receive under way turn the last bytes that were
// sent into a reset (libuv/libuv#3034).
void Poller::close(Channel channel) {
  Slot& closed = slots_.checked(channel);
  closed.clear(Slot::wants_accept | Slot::wants_receive | Slot::wants_send | Slot::backing_off);
  closed.set(Slot::closing);
  if (closed.listening != nullptr) {
    for (const SOCKET accepted : closed.listening->accepted) ::closesocket(accepted);
    closed.listening->accepted.clear();
  }
  if (closed.operations > 0) {
    // Not finding anything to cancel means that the packets are there already.
    (void)::CancelIoEx(reinterpret_cast<HANDLE>(closed.handle), nullptr);
    return;
  }
  ::closesocket(std::exchange(closed.handle, INVALID_SOCKET));
  enqueue(closed, channel);
}

// The kernel had no room: another try at once could only fail again.
void Poller::back_off(Slot& slot, Channel channel) {
  static constexpr Duration backoff = std::chrono::milliseconds(10);
  if (slot.is(Slot::backing_off)) return;
  slot.set(Slot::backing_off);
  if (backing_off_.empty()) backoff_end_ = now_ + backoff;
  backing_off_.push_back(channel);
}

void Poller::end_backoff() {
  for (const Channel channel : backing_off_) {
    if (!slots_.is_current(channel) || !slots_[channel.index].is(Slot::backing_off)) continue;
    Slot& backed_off = slots_[channel.index];
    backed_off.clear(Slot::backing_off);
    change(backed_off, channel);
    // A send that had no room is over: the caller is asked to offer it again.
    if (backed_off.is(Slot::wants_send | Slot::readable)) enqueue(backed_off, channel);
  }
  backing_off_.clear();
}

// What a standing order needs again is asked for right before the wait.
void Poller::start_changed() {
  // By index: an operation that ends at once may add to the list.
  for (std::size_t at = 0; at < changed_.size(); ++at) {
    const Channel channel = changed_[at];
    if (!slots_.is_current(channel)) continue;
    Slot& changed = slots_[channel.index];
    changed.clear(Slot::changed);
    if (changed.is(Slot::closing | Slot::backing_off)) continue;
    if (changed.kind == SocketKind::listener) {
      if (changed.is(Slot::wants_accept)) post_accepts(changed, channel);
    } else if (changed.is(Slot::wants_receive) && !changed.is(Slot::armed | Slot::readable)) {
      arm(changed, channel);
    }
  }
  changed_.clear();
}

void Poller::wait(Duration limit) {
  assert(!port_.has_packets() && !ready_.has_turn() && "next() has more");
  start_changed();
  if (!backing_off_.empty()) limit = std::min(limit, backoff_end_ - now_);
  if (ready_.has_coming() || queue_.has_coming()) limit = Duration::zero();
  port_.wait(std::max(limit, Duration::zero()));
  now_ = read_clock();
  ++counters_.waits;
  if (!backing_off_.empty() && now_ >= backoff_end_) end_backoff();
  ready_.begin_turn();
  queue_.begin_turn();
  if (!port_.has_packets() && !ready_.has_turn() && !queue_.has_turn()) ++counters_.empty_waits;
}

void Poller::refresh() { now_ = read_clock(); }

void Poller::wake() {
  if (wake_pending_.exchange(true, std::memory_order_acq_rel)) return;
  // Without memory for the packet the next wake tries again.
  if (!port_.post()) wake_pending_.store(false, std::memory_order_release);
}

bool Poller::next(Completion& completion) {
  while (const OVERLAPPED_ENTRY* packet = port_.next()) {
    if (packet->lpOverlapped == nullptr) {
      wake_pending_.exchange(false, std::memory_order_acq_rel);
      ++counters_.wakes;
    } else if (finished(*packet, completion)) {
      return true;
    }
  }
  return next_queued(completion);
}

bool Poller::finished(const OVERLAPPED_ENTRY& packet, Completion& completion) {
  OverlappedOp& op = OverlappedOp::of(*packet.lpOverlapped);
  const Channel channel = op.channel;
  assert(slots_.is_current(channel) && "a packet after the last one");
  Slot& of = slots_[channel.index];
  int error = 0;
  if (op.overlapped.Internal != 0) {
    // An NTSTATUS; Winsock translates it for us.
    DWORD count = 0;
    DWORD flags = 0;
    if (!::WSAGetOverlappedResult(of.handle, &op.overlapped, &count, FALSE, &flags)) {
      error = ::WSAGetLastError();
    }
  }
  const Operation operation = op.operation;
  const bool is_told = op.is_told;
  const SOCKET accepted = op.accepting;
  if (operation == Operation::accept && error == 0 && !of.is_closing()) {
    op.accepting = INVALID_SOCKET;  // it is a connection now
  }
  end(of, op);
  if (of.is_closing()) [[unlikely]]
    return finished_closing(of, channel, completion);
  if (is_told) return false;
  switch (operation) {
    case Operation::receive:
      of.clear(Slot::armed);
      on_receive_packet(of, error);
      return of.is(Slot::wants_receive) && !of.is(Slot::queued) &&
             perform_receive(of, channel, completion);
    case Operation::send:
      return finished_send(of, channel, packet.dwNumberOfBytesTransferred, error, completion);
    case Operation::accept:
      return finished_accept(of, channel, accepted, error, completion);
    case Operation::connect:
      return finished_connect(of, channel, error, completion);
    case Operation::close:
      break;
  }
  assert(false && "closing a socket brings no packet");
  return false;
}

// Whatever it brought, nobody wants it any more; with the last one the socket can be closed.
bool Poller::finished_closing(Slot& slot, Channel channel, Completion& completion) {
  if (slot.operations > 0) return false;
  ::closesocket(std::exchange(slot.handle, INVALID_SOCKET));
  return perform(slot, channel, completion);
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
  return queue_.next(slots_, completion, counters_, [](Slot& slot, Operation operation) {
    if (operation == Operation::send && slot.kind == SocketKind::stream) {
      slot.clear(Slot::wants_send | Slot::sending);
    }
    // An accept that failed is no news to who has stopped accepting.
    return operation != Operation::accept || slot.is(Slot::wants_accept);
  });
}

// One thing that a slot has to tell beside packets.
bool Poller::perform(Slot& slot, Channel channel, Completion& completion) {
  if (slot.is_closing()) {
    if (slot.operations > 0) return false;  // with the last packet, then
    begin_completion(completion, Operation::close, slot, channel, counters_);
    slots_.release(channel);
    return true;
  }
  if (slot.listening != nullptr) {
    if (slot.listening->accepted.empty() || !slot.is(Slot::wants_accept)) return false;
    const SOCKET accepted = slot.listening->accepted.front();
    slot.listening->accepted.pop_front();
    if (!slot.listening->accepted.empty()) enqueue_now(slot, channel);
    change(slot, channel);
    return deliver_accept(slot, channel, accepted, completion);
  }
  if (slot.is(Slot::backing_off)) return false;
  if (slot.is(Slot::wants_send) && !slot.is(Slot::sending)) {
    if (slot.is(Slot::readable)) enqueue(slot, channel);
    return finished_send(slot, channel, 0, 0, completion);
  }
  return slot.is(Slot::readable) && slot.is(Slot::wants_receive) &&
         perform_receive(slot, channel, completion);
}

}  // namespace tern::iocp
