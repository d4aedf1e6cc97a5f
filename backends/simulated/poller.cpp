// Orders: what the caller of a poller asks for. Turns are in poller_turn.cpp.
#include <algorithm>
#include <numeric>
#include <utility>

#include "backends/simulated/simulated.hpp"

namespace tern::simulated {

namespace {

std::size_t bytes_in(std::span<const Slice> slices) {
  return std::accumulate(slices.begin(), slices.end(), std::size_t{0},
                         [](std::size_t sum, Slice slice) { return sum + slice.size(); });
}

// What is left of the slices without their first `count` bytes.
std::vector<Slice> without_first(std::span<const Slice> slices, std::size_t count) {
  std::vector<Slice> left;
  for (const Slice slice : slices) {
    const std::size_t dropped = std::min(count, slice.size());
    count -= dropped;
    if (dropped < slice.size()) left.push_back(slice.subspan(dropped));
  }
  return left;
}

// Looks at every byte, as a kernel may until it has let go of them.
std::uint64_t sum_of(std::span<const Slice> slices) {
  std::uint64_t sum = 0;
  for (const Slice slice : slices) {
    for (const std::byte byte : slice) sum = sum * 31 + std::to_integer<std::uint64_t>(byte);
  }
  return sum;
}

}  // namespace

Poller::Poller(const PollerOptions& options)
    : network_(Network::current()),
      simulation_(network_.simulation()),
      options_(options),
      now_(simulation_.now()),
      self_(std::make_shared<Poller*>(this)) {
  require(options.receive_bytes >= 1 && options.receive_bytes <= std::size_t{16} << 20U,
          "PollerOptions::receive_bytes is 1 to 16 Mi");
  require(options.datagram_bytes >= 1 && options.datagram_bytes <= 65'536,
          "PollerOptions::datagram_bytes is 1 to 65,536");
  network_.enter(*this);
}

Poller::~Poller() {
  network_.leave(*this);
  slots_.for_each([this](const Slot& slot, Channel) {
    if (slot.object->handle >= 0) network_.close(slot.object);
  });
}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  error.clear();
  const std::shared_ptr<Object> object = network_.object(socket);
  require(object != nullptr, "attach is given an open socket of the poller's network");
  require(object->watcher == nullptr, "a socket is attached once");
  if (simulation_.random.chance(simulation_.faults.attach_error)) {
    error = std::make_error_code(simulation_.random.below(2) == 0 ? std::errc::not_enough_memory
                                                                  : std::errc::no_space_on_device);
    return {};
  }
  if (!slots_.make_room(error)) return {};
  const Channel channel = slots_.add(socket, owner);
  slots_[channel.index].object = object;
  object->watcher = this;
  object->index = channel.index;
  simulation_.record({1, channel.index, channel.generation});
  return channel;
}

Poller::Slot& Poller::checked(Channel channel) {
  require(slots_.is_current(channel),
          "a channel is used after its close completion, or of another poller");
  Slot& slot = slots_[channel.index];
  require(!slot.closes, "a channel is used after close()");
  return slot;
}

Stream& Poller::stream_of(Slot& slot, Stream::State state) {
  require(slot.object->kind == SocketKind::stream, "the order is for streams");
  auto& stream = static_cast<Stream&>(*slot.object);
  require(stream.state == state && !slot.connects, "the order does not suit the stream's state");
  return stream;
}

Socket Poller::socket(Channel channel) const {
  return const_cast<Poller*>(this)->checked(channel).object->socket();
}

bool Poller::has_waiting(Channel channel) const {
  const Slot& slot = const_cast<Poller*>(this)->checked(channel);
  require(slot.object->kind == SocketKind::listener, "has_waiting is given a listener");
  return !static_cast<const Listener&>(*slot.object).queue.empty();
}

void Poller::accept(Channel channel) {
  Slot& slot = checked(channel);
  require(slot.object->kind == SocketKind::listener, "accept is ordered of a listener");
  if (slot.accepts) return;
  slot.accepts = true;
  // A new order is a new try, however short ago the last one failed.
  static_cast<Listener&>(*slot.object).release();
}

void Poller::receive(Channel channel) {
  Slot& slot = checked(channel);
  if (slot.object->kind != SocketKind::datagram) stream_of(slot, Stream::State::open);
  if (slot.receives || slot.input_is_over) return;
  slot.receives = true;
  changed(channel.index);
}

void Poller::stop(Channel channel, Operation operation) {
  Slot& slot = checked(channel);
  require(operation == Operation::accept || operation == Operation::receive,
          "stop withdraws accept or receive");
  (operation == Operation::accept ? slot.accepts : slot.receives) = false;
}

void Poller::connect(Channel channel, const Endpoint& endpoint) {
  Slot& slot = checked(channel);
  Stream& stream = stream_of(slot, Stream::State::fresh);
  slot.connects = true;
  simulation_.record({2, channel.index, endpoint.port()});
  network_.connect(stream.shared_from_this(), endpoint);
}

// Takes what the stream has room for and the faults leave of it.
std::size_t Poller::send_ready(Slot& slot, std::span<const Slice> slices, std::size_t most) {
  Stream& stream = static_cast<Stream&>(*slot.object);
  ++counters_.send_calls;
  if (most > 1 && simulation_.random.chance(simulation_.faults.partial_send)) {
    most = static_cast<std::size_t>(simulation_.random.between(1, most));
  }
  const std::size_t taken = stream.send(slices, most, slot.send_error);
  if (taken == 0 && !slot.send_error) ++counters_.would_blocks;
  counters_.sent_bytes += taken;
  return taken;
}

std::size_t Poller::send(Channel channel, std::span<const Slice> slices) {
  Slot& slot = checked(channel);
  Stream& stream = stream_of(slot, Stream::State::open);
  require(!slot.sends, "one send of a channel is unfinished at most");
  require(!slot.has_shut_down, "nothing is sent after shutdown_send()");
  const std::size_t offered = bytes_in(slices);
  if (offered == 0) return 0;
  const std::span<const Slice> seen = slices.first(std::min(slices.size(), slices_max));
  const std::size_t seen_bytes = bytes_in(seen);
  std::size_t taken = 0;
  if (!sends_later()) {
    taken = send_ready(slot, seen, seen_bytes);
  } else if (!stream.is_reset() && simulation_.random.below(2) == 0) {
    taken =
        send_ready(slot, seen, static_cast<std::size_t>(simulation_.random.below(seen_bytes + 1)));
  }
  simulation_.record({3, channel.index, offered, taken});
  if (taken == offered) return taken;
  slot.sends = true;
  if (sends_later()) slot.slices = without_first(seen, taken);
  changed(channel.index);
  return taken;
}

// Sends up to `most` datagrams. One that is refused counts as sent, and is reported by next().
std::size_t Poller::send_datagrams(Slot& slot, std::span<const Datagram> datagrams,
                                   std::size_t most) {
  auto& socket = static_cast<DatagramSocket&>(*slot.object);
  ++counters_.send_calls;
  // The news that an earlier datagram bounced comes with a send, as the kernels have it.
  if (socket.bounce) slot.refused.push_back(std::exchange(socket.bounce, std::error_code()));
  for (const Datagram& datagram : datagrams.first(most)) {
    const std::error_code error = network_.send(socket, datagram);
    if (error) {
      slot.refused.push_back(error);
    } else {
      ++counters_.sent_datagrams;
      counters_.sent_bytes += datagram.bytes.size();
    }
  }
  return most;
}

std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  Slot& slot = checked(channel);
  require(slot.object->kind == SocketKind::datagram, "send_to is for datagram sockets");
  require(!slot.sends, "one send of a channel is unfinished at most");
  const auto& socket = static_cast<const DatagramSocket&>(*slot.object);
  const auto is_too_long = [](const Datagram& datagram) {
    return datagram.bytes.size() > DatagramSocket::bytes_max;
  };
  std::size_t most = datagrams.size();
  // A refusal and "try again" are never told of one call, so that its one completion is clear.
  const bool is_refused =
      socket.bounce || std::any_of(datagrams.begin(), datagrams.end(), is_too_long);
  if (!is_refused && most > 0) {
    Random& random = simulation_.random;
    if (random.chance(simulation_.faults.datagram_try_again) ||
        (sends_later() && random.below(2) == 0)) {
      most = static_cast<std::size_t>(random.below(most + 1));
    }
  }
  const std::size_t taken = send_datagrams(slot, datagrams, most);
  simulation_.record({4, channel.index, datagrams.size(), taken});
  slot.sends = taken < datagrams.size();
  if (slot.sends || !slot.refused.empty()) changed(channel.index);
  return taken;
}

void Poller::shutdown_send(Channel channel) {
  Slot& slot = checked(channel);
  Stream& stream = stream_of(slot, Stream::State::open);
  require(!slot.sends, "shutdown_send comes after the last send has finished");
  slot.has_shut_down = true;
  simulation_.record({5, channel.index});
  stream.shutdown_send();
}

void Poller::close(Channel channel) {
  Slot& slot = checked(channel);
  slot.closes = true;
  simulation_.record({6, channel.index});
  // A readiness kernel is done with a socket at once, a completion kernel when it says so.
  if (!sends_later()) finish_closing(slot);
  changed(channel.index);
}

// The kernel's side of closing. What a completion kernel was about to send may still go out, and
// until now it looked at the caller's memory.
void Poller::finish_closing(Slot& slot) {
  if (slot.sends && !slot.slices.empty()) {
    auto& stream = static_cast<Stream&>(*slot.object);
    simulation_.record({7, sum_of(slot.slices)});
    if (!stream.resets_on_close && simulation_.random.below(2) == 0) {
      send_ready(slot, slot.slices,
                 static_cast<std::size_t>(simulation_.random.below(bytes_in(slot.slices) + 1)));
    }
  }
  network_.close(slot.object);
}

void Poller::wake() {
  // The bell only for the first: whoever waits takes flag and bell together.
  if (!wake_is_pending_.exchange(true)) bell_.release();
}

}  // namespace tern::simulated
