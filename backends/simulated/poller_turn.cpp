// Turns: waiting, and what has finished. Orders are in poller.cpp.
#include <algorithm>
#include <utility>

#include "backends/simulated/simulated.hpp"

namespace tern::simulated {

using std::chrono::milliseconds;
using std::chrono::seconds;

// --- what the network sees of a poller

void Poller::changed(std::uint32_t index) {
  was_passed_over_ = false;
  if (std::exchange(slots_[index].is_queued, true)) return;
  ready_.push_back(index);
}

bool Poller::wants_turn() const {
  if (was_passed_over_) return false;
  return was_busy_ || !ready_.empty() || wake_is_pending_.load();
}

void Poller::pass_over() {
  was_passed_over_ = true;
  idle_until_ = Time::max();
}

std::size_t Poller::pending_operations() const {
  std::size_t count = 0;
  slots_.for_each([&count](const Slot& slot, Channel) {
    count += slot.closes ? 1U : std::size_t{slot.connects} + std::size_t{slot.sends};
  });
  return count;
}

// --- waiting

bool Poller::take_wake() {
  if (!wake_is_pending_.exchange(false)) return false;
  // The bell may not have rung yet; it then ends a later sleep, which only makes that one short.
  (void)bell_.try_acquire();
  return true;
}

bool Poller::yields_to_others() const {
  const auto participants = network_.participants();
  return std::any_of(participants.begin(), participants.end(), [this](const Participant* other) {
    return other != this && other->wants_turn();
  });
}

Time Poller::others_idle_until() const {
  Time earliest = Time::max();
  for (const Participant* other : network_.participants()) {
    if (other != this) earliest = std::min(earliest, other->idle_until());
  }
  return earliest;
}

// Real time for other threads, before virtual time jumps by `virtual_limit`. True when woken.
bool Poller::sleep_until_wake(Duration virtual_limit) {
  using Clock = std::chrono::steady_clock;
  const bool is_endless = virtual_limit == forever;
  const Duration fair = std::clamp<Duration>(virtual_limit / 100, milliseconds(5), seconds(1));
  const auto end =
      Clock::now() + (is_endless ? Duration(seconds(10)) : std::min(virtual_limit, fair));
  while (!wake_is_pending_.load()) {
    const auto left = end - Clock::now();
    if (left <= Duration::zero()) return false;
    // In slices, so that a bell that was taken for an earlier wake costs no more than one of them.
    (void)bell_.try_acquire_for(std::min<Duration>(left, milliseconds(100)));
  }
  return true;
}

void Poller::wait(Duration limit) {
  // Never waits while next() has more.
  if (turn_at_ < turn_.size()) return;
  turn_.clear();
  turn_at_ = 0;
  ++counters_.waits;
  was_passed_over_ = false;
  was_busy_ = false;
  // A system call takes its time, even one that only looks.
  simulation_.pass(wait_cost);
  const bool woken = wait_for_turn(limit);
  now_ = simulation_.now();
  if (woken) ++counters_.wakes;
  if (turn_.empty() && !woken) ++counters_.empty_waits;
  was_busy_ = woken || !turn_.empty();
  simulation_.record({8, static_cast<std::uint64_t>(now_.time_since_epoch().count()), turn_.size(),
                      woken ? 1U : 0U});
}

// Lets time pass until something of ours has finished, a wake, or the limit; or, with nothing,
// until another poller of the network should be stepped first. That poller is passed over from then
// on, so that one that nobody steps any more does not stop the world. True when woken.
bool Poller::wait_for_turn(Duration limit) {
  const bool is_endless = limit >= Time::max() - now_;
  const Time deadline = is_endless ? Time::max() : now_ + limit;
  idle_until_ = deadline;
  bool woken = take_wake();
  if (!woken && simulation_.random.chance(simulation_.faults.early_return)) return false;
  for (;;) {
    gather();
    woken = take_wake() || woken;
    if (!turn_.empty() || woken || deadline <= simulation_.now()) return woken;
    const Time others = others_idle_until();
    if (yields_to_others() || others <= simulation_.now()) {
      for (Participant* other : network_.participants()) {
        const bool is_asked_for = other->wants_turn() || other->idle_until() <= simulation_.now();
        if (other != this && is_asked_for) other->pass_over();
      }
      return false;
    }
    const Time until = std::min({simulation_.next_event(), others, deadline});
    if (network_.allows_blocking_waits() && until != simulation_.next_event()) {
      const bool is_never = until == Time::max();
      if (sleep_until_wake(is_never ? forever : until - simulation_.now())) return take_wake();
    }
    if (until == Time::max()) return false;
    simulation_.advance(until);
  }
}

// Makes the ready list into the turn.
void Poller::gather() {
  std::vector<std::uint32_t> ready;
  ready.swap(ready_);
  for (const std::uint32_t index : ready) {
    Slot& slot = slots_[index];
    slot.is_queued = false;
    if (slot.object == nullptr || slot.is_late) continue;
    const std::size_t before = turn_.size();
    gather({index, slot.generation}, slot);
    if (turn_.size() > before && keep_back(index, slot)) turn_.resize(before);
  }
  if (simulation_.faults.shuffles_channels) simulation_.random.shuffle(turn_);
}

// One entry for each thing that this channel can finish now.
void Poller::gather(Channel channel, Slot& slot) {
  if (slot.closes) {
    turn_.push_back({channel, Operation::close});
    return;
  }
  const auto add = [&](bool can_finish, Operation operation) {
    if (can_finish) turn_.push_back({channel, operation});
  };
  switch (slot.object->kind) {
    case SocketKind::listener: {
      const auto& listener = static_cast<const Listener&>(*slot.object);
      if (!slot.accepts || !listener.is_acceptable()) return;
      const std::size_t count = std::min(listener.queue.size(), accepts_per_turn_max);
      turn_.insert(turn_.end(), count, Entry{channel, Operation::accept});
      return;
    }
    case SocketKind::stream: {
      const auto& stream = static_cast<const Stream&>(*slot.object);
      add(slot.connects && stream.state != Stream::State::connecting, Operation::connect);
      if (stream.state != Stream::State::open || slot.connects) return;
      const bool again = slot.sends && simulation_.random.chance(simulation_.faults.spurious_send);
      const bool nothing_seen_is_left = sends_later() && slot.slices.empty();
      add(slot.receives && stream.is_readable(), Operation::receive);
      add(slot.sends && (slot.send_error || stream.is_sendable() || nothing_seen_is_left || again),
          Operation::send);
      return;
    }
    case SocketKind::datagram: {
      const auto& socket = static_cast<const DatagramSocket&>(*slot.object);
      add(slot.receives && socket.is_readable(), Operation::receive);
      turn_.insert(turn_.end(), slot.refused.size() + (slot.sends ? 1U : 0U),
                   Entry{channel, Operation::send});
      return;
    }
    case SocketKind::none:
      return;
  }
}

// Whether what this channel has finished is told later than it could be.
bool Poller::keep_back(std::uint32_t index, Slot& slot) {
  if (std::exchange(slot.was_late, false)) return false;
  if (!simulation_.random.chance(simulation_.faults.late_completion)) return false;
  slot.is_late = true;
  const auto most = static_cast<std::uint64_t>(simulation_.faults.late_completion_max.count());
  const auto delay = Duration(simulation_.random.between(1, std::max<std::uint64_t>(most, 1)));
  simulation_.after(delay, [self = std::weak_ptr(self_), index, generation = slot.generation] {
    const auto poller = self.lock();
    if (poller == nullptr || !(*poller)->slots_.is_current({index, generation})) return;
    Slot& kept = (*poller)->slots_[index];
    kept.is_late = false;
    kept.was_late = true;
    (*poller)->changed(index);
  });
  return true;
}

// --- completions

bool Poller::next(Completion& completion) {
  spoil_buffer();
  while (turn_at_ < turn_.size()) {
    const Entry entry = turn_[turn_at_++];
    Slot& slot = slots_[entry.channel.index];
    // It was closed in this turn, and the slot may be another channel's already.
    if (!slots_.is_current(entry.channel)) continue;
    if (slot.closes != (entry.operation == Operation::close)) continue;
    completion = Completion();
    completion.operation = entry.operation;
    completion.owner = slot.owner;
    completion.channel = entry.channel;
    const bool has_finished = finish(entry.operation, slot, completion);
    // There may be more of it: for the next turn.
    if (slot.object != nullptr) changed(entry.channel.index);
    if (!has_finished) continue;
    ++counters_.completions;
    simulation_.record({9, static_cast<std::uint64_t>(entry.operation), entry.channel.index,
                        entry.channel.generation,
                        static_cast<std::uint64_t>(completion.error.value()),
                        completion.bytes.size(), completion.datagrams.size(), completion.count,
                        static_cast<std::uint64_t>(completion.accepted.handle)});
    return true;
  }
  return false;
}

bool Poller::finish(Operation operation, Slot& slot, Completion& completion) {
  switch (operation) {
    case Operation::accept:
      return finish_accept(slot, completion);
    case Operation::connect:
      return finish_connect(slot, completion);
    case Operation::receive:
      if (!slot.receives) return false;  // stopped meanwhile
      return slot.object->kind == SocketKind::stream ? finish_receive(slot, completion)
                                                     : finish_receive_datagrams(slot, completion);
    case Operation::send:
      return finish_send(slot, completion);
    case Operation::close:
      return finish_close(slot, completion);
  }
  return false;
}

bool Poller::finish_accept(Slot& slot, Completion& completion) {
  auto& listener = static_cast<Listener&>(*slot.object);
  if (!slot.accepts || !listener.is_acceptable()) return false;
  completion.accepted = network_.accept(listener, completion.error);
  return true;
}

bool Poller::finish_connect(Slot& slot, Completion& completion) {
  if (!std::exchange(slot.connects, false)) return false;
  completion.error = static_cast<const Stream&>(*slot.object).connect_error;
  return true;
}

bool Poller::finish_receive(Slot& slot, Completion& completion) {
  auto& stream = static_cast<Stream&>(*slot.object);
  ++counters_.receive_calls;
  if (!stream.is_readable()) {
    ++counters_.would_blocks;
    return false;
  }
  std::size_t most = std::min(stream.readable(), options_.receive_bytes);
  if (most > 1 && simulation_.random.chance(simulation_.faults.partial_receive)) {
    most = static_cast<std::size_t>(simulation_.random.between(1, most));
  }
  const std::span<std::byte> buffer = fresh_buffer(most);
  const std::size_t count = stream.receive(buffer, completion.error);
  completion.bytes = buffer.first(count);
  counters_.received_bytes += count;
  if (count == 0) {
    slot.receives = false;
    slot.input_is_over = true;
  }
  return true;
}

bool Poller::finish_receive_datagrams(Slot& slot, Completion& completion) {
  auto& socket = static_cast<DatagramSocket&>(*slot.object);
  ++counters_.receive_calls;
  if (socket.bounce) {
    completion.error = std::exchange(socket.bounce, std::error_code());
    return true;
  }
  const std::size_t count = std::min(socket.queue.size(), datagrams_max);
  if (count == 0) {
    ++counters_.would_blocks;
    return false;
  }
  const auto kept = [this](const std::vector<std::byte>& bytes) {
    return std::min(bytes.size(), options_.datagram_bytes);
  };
  std::size_t total = 0;
  for (std::size_t index = 0; index < count; ++index) total += kept(socket.queue[index].bytes);
  std::span<std::byte> buffer = fresh_buffer(total);
  for (std::size_t index = 0; index < count; ++index) {
    const DatagramSocket::Received received = socket.take();
    const std::size_t size = kept(received.bytes);
    std::copy_n(received.bytes.begin(), size, buffer.begin());
    received_.push_back({buffer.first(size), received.peer, size < received.bytes.size()});
    buffer = buffer.subspan(size);
  }
  completion.datagrams = received_;
  counters_.received_datagrams += count;
  counters_.received_bytes += total;
  return true;
}

bool Poller::finish_send(Slot& slot, Completion& completion) {
  if (!slot.refused.empty()) {
    completion.error = slot.refused.front();
    slot.refused.pop_front();
    return true;
  }
  if (!std::exchange(slot.sends, false)) return false;
  if (slot.object->kind == SocketKind::datagram) return true;  // only says: try again
  if (sends_later() && !slot.send_error && !slot.slices.empty()) {
    std::size_t most = 0;
    for (const Slice slice : slot.slices) most += slice.size();
    completion.count = send_ready(slot, slot.slices, most);
  }
  completion.error = std::exchange(slot.send_error, std::error_code());
  slot.slices.clear();
  return true;
}

bool Poller::finish_close(Slot& slot, Completion& completion) {
  if (sends_later()) finish_closing(slot);
  slots_.release(completion.channel);
  return true;
}

// --- the receive buffer

std::span<std::byte> Poller::fresh_buffer(std::size_t bytes) {
  buffer_ = std::make_unique<std::byte[]>(bytes);
  buffer_bytes_ = bytes;
  return {buffer_.get(), bytes};
}

void Poller::spoil_buffer() {
  if (buffer_ == nullptr) return;
  std::fill_n(buffer_.get(), buffer_bytes_, std::byte{0xdd});
  buffer_.reset();
  received_.clear();
}

}  // namespace tern::simulated
