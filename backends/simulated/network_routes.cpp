// The part of Network that carries things: who is where, connecting, and datagrams.
#include <algorithm>
#include <array>

#include "backends/simulated/network.hpp"

namespace tern::simulated {

namespace {

using std::chrono::seconds;

// What lies in the direction of an address; see the opening of network.hpp.
enum class Route : std::uint8_t { here, refused, unreachable, silent, none };

Route route_to(const Endpoint& to) {
  if (to.family() == Family::local || to.is_loopback() || to.is_any()) return Route::here;
  if (to.family() != Family::ipv4) return Route::none;
  const auto& address = to.address();
  if (address[0] == 10) return Route::here;
  if (address[0] == 192 && address[1] == 0 && address[2] == 2) return Route::refused;
  if (address[0] == 198 && address[1] == 51 && address[2] == 100) return Route::unreachable;
  if (address[0] == 203 && address[1] == 0 && address[2] == 113) return Route::silent;
  return Route::none;
}

// The address of ours from which `to` is reached.
Endpoint source_for(const Endpoint& to) {
  if (to.family() == Family::local) return Endpoint::unnamed_local();
  if (to.family() == Family::ipv6) {
    return Endpoint::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0);
  }
  const bool is_inside = to.address()[0] == 10;
  return is_inside ? Endpoint::ipv4({10, 0, 0, 1}, 0) : Endpoint::ipv4({127, 0, 0, 1}, 0);
}

// Where a connection to an unspecified address really goes.
Endpoint destination(const Endpoint& to) {
  return to.is_any() ? source_for(to).with_port(to.port()) : to;
}

// An IPv4 address as a listener on [::] shows it (RFC 4291 section 2.5.5.2).
Endpoint mapped(const Endpoint& endpoint) {
  std::array<std::uint8_t, 16> address{};
  address[10] = address[11] = 0xff;
  std::copy_n(endpoint.address().begin(), 4, address.begin() + 12);
  return Endpoint::ipv6(address, endpoint.port());
}

// Which of several listeners of one address gets the connection: a hash of where it comes from.
std::size_t pick(const Endpoint& from, std::size_t count) {
  std::uint64_t hash = Random(from.port()).next();
  for (const std::uint8_t byte : from.address()) hash = (hash ^ byte) * 0x100000001b3U;
  return static_cast<std::size_t>(hash % count);
}

}  // namespace

void Network::connect(const std::shared_ptr<Stream>& stream, const Endpoint& endpoint) {
  const Endpoint to = destination(endpoint);
  stream->state = Stream::State::connecting;
  stream->peer = to;
  if (stream->local.family() == Family::none) {
    const Endpoint source = source_for(to);
    std::error_code error;
    if (to.family() == Family::local) {
      stream->local = source;
    } else {
      bind(*stream, source, {}, error);
    }
    if (error) return fail(stream, std::errc::address_not_available, Duration::zero());
  } else if (stream->local.is_any()) {
    stream->local = source_for(to).with_port(stream->local.port());
  }
  const auto extra = static_cast<std::uint64_t>(simulation_.faults.connect_delay_max.count());
  const Duration delay = Duration(extra == 0 ? 0 : simulation_.random.between(0, extra));
  if (simulation_.random.chance(simulation_.faults.connect_error)) {
    constexpr std::array errors = {std::errc::connection_refused, std::errc::timed_out,
                                   std::errc::host_unreachable, std::errc::network_unreachable};
    return fail(stream, errors[simulation_.random.below(errors.size())], delay);
  }
  simulation_.after(delay + simulation_.latency(),
                    [this, asking = std::weak_ptr(stream)] { ask(asking, 0); });
}

void Network::fail(const std::weak_ptr<Stream>& stream, std::errc why, Duration delay) {
  simulation_.after(delay, [stream, why] {
    const auto failed = stream.lock();
    if (failed == nullptr || failed->handle < 0) return;
    failed->state = Stream::State::failed;
    failed->connect_error = std::make_error_code(why);
    failed->changed();
  });
}

// The request to connect has arrived where it was sent.
void Network::ask(const std::weak_ptr<Stream>& asking, int attempt) {
  constexpr int attempts_max = 6;  // as long as Linux tries: 1 + 2 + ... + 32 + 64 seconds
  const auto stream = asking.lock();
  if (stream == nullptr || stream->handle < 0) return;
  const Endpoint& to = stream->peer;
  const Duration back = simulation_.latency();
  switch (route_to(to)) {
    case Route::here:
      break;
    case Route::refused:
      return fail(asking, std::errc::connection_refused, back);
    case Route::unreachable:
      return fail(asking, std::errc::host_unreachable, back);
    case Route::none:
      return fail(asking, std::errc::network_unreachable, Duration::zero());
    case Route::silent:
      return fail(asking, std::errc::timed_out, seconds(127));
  }
  const std::vector<Object*> found = streams_.find(to, SocketKind::listener);
  if (found.empty()) {
    if (to.family() == Family::local && !streams_.has_file(to)) {
      return fail(asking, std::errc::no_such_file_or_directory, back);
    }
    if (to != stream->local) return fail(asking, std::errc::connection_refused, back);
    // Both ends open at once, and both are this socket: TCP allows it.
    Stream::join(stream, stream);
    return opened_after(back, asking);
  }
  auto& listener = static_cast<Listener&>(*found[pick(stream->local, found.size())]);
  if (!listener.is_full()) return answer(stream, listener);
  if (to.family() == Family::local) {
    return fail(asking, std::errc::resource_unavailable_try_again, back);
  }
  // A full queue drops the request, which is then repeated.
  if (attempt >= attempts_max) return fail(asking, std::errc::timed_out, seconds(1 << attempt));
  simulation_.after(seconds(1 << attempt), [this, asking, attempt] { ask(asking, attempt + 1); });
}

void Network::answer(const std::shared_ptr<Stream>& stream, Listener& listener) {
  const bool is_mapped =
      stream->peer.family() == Family::ipv4 && listener.local.family() == Family::ipv6;
  const auto accepted = std::make_shared<Stream>(simulation_, listener.options.socket);
  accepted->state = Stream::State::open;
  accepted->local = is_mapped ? mapped(stream->peer) : stream->peer;
  accepted->peer = is_mapped ? mapped(stream->local) : stream->local;
  Stream::join(stream, accepted);
  listener.queue.push_back(accepted);
  listener.release();
  opened_after(simulation_.latency(), stream);
}

void Network::opened_after(Duration delay, const std::weak_ptr<Stream>& stream) {
  simulation_.after(delay, [stream] {
    const auto opened = stream.lock();
    if (opened == nullptr || opened->handle < 0) return;
    opened->state = Stream::State::open;
    opened->changed();
  });
}

std::error_code Network::bind_source(DatagramSocket& socket, const Endpoint& to) {
  std::error_code error;
  if (socket.local.family() != Family::none) return error;
  if (to.family() == Family::local) {
    socket.local = Endpoint::unnamed_local();
  } else {
    bind(socket, source_for(to), {}, error);
  }
  return error;
}

std::error_code Network::send(DatagramSocket& from, const Datagram& datagram) {
  const Endpoint to = from.is_connected() ? from.peer : datagram.peer;
  if (to.family() == Family::none) {
    return std::make_error_code(std::errc::destination_address_required);
  }
  if (to.family() != from.family) {
    return std::make_error_code(std::errc::address_family_not_supported);
  }
  if (datagram.bytes.size() > DatagramSocket::bytes_max) {
    return std::make_error_code(std::errc::message_size);
  }
  if (to.family() == Family::local && datagrams_.find(to, SocketKind::datagram).empty()) {
    return std::make_error_code(std::errc::connection_refused);
  }
  if (const std::error_code error = bind_source(from, to)) return error;
  const Endpoint source =
      from.local.is_any() ? source_for(to).with_port(from.local.port()) : from.local;
  std::vector<std::byte> bytes(datagram.bytes.begin(), datagram.bytes.end());
  Random& random = simulation_.random;
  if (from.is_connected() && random.chance(simulation_.faults.datagram_bounce)) {
    simulation_.after(simulation_.latency(), [sender = from.weak_from_this()] {
      if (const auto socket = sender.lock()) socket->bounced();
    });
  }
  if (random.chance(simulation_.faults.datagram_loss)) return {};
  const int copies = random.chance(simulation_.faults.datagram_duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    simulation_.after(simulation_.latency(),
                      [this, bytes, source, to, sender = from.weak_from_this()] {
                        deliver(bytes, source, to, sender);
                      });
  }
  return {};
}

void Network::deliver(const std::vector<std::byte>& bytes, const Endpoint& from, const Endpoint& to,
                      const std::weak_ptr<DatagramSocket>& sender) {
  // A socket that is connected to the sender comes before those that hear everybody.
  std::vector<Object*> connected;
  std::vector<Object*> open;
  for (Object* object : datagrams_.find(to, SocketKind::datagram)) {
    const auto& socket = static_cast<const DatagramSocket&>(*object);
    if (socket.hears(from)) (socket.is_connected() ? connected : open).push_back(object);
  }
  const std::vector<Object*>& hearers = connected.empty() ? open : connected;
  if (!hearers.empty()) {
    static_cast<DatagramSocket*>(hearers[pick(from, hearers.size())])->arrive(bytes, from);
    return;
  }
  // Nobody there: the machine answers so, and only a connected socket can know whose answer it is.
  simulation_.after(simulation_.latency(), [sender] {
    const auto socket = sender.lock();
    if (socket != nullptr && socket->is_connected()) socket->bounced();
  });
}

}  // namespace tern::simulated
