// The set-up calls, on the current network. See network.hpp for the addresses and names it has.
#include <memory>
#include <utility>

#include "backends/simulated/network.hpp"

namespace tern::simulated {

namespace {

// Gives a new object its handle and its address; a refused one disappears again.
Socket opened(const std::shared_ptr<Object>& object, const Endpoint& local, BindRules rules,
              std::error_code& error) {
  Network& network = Network::current();
  const Socket socket = network.open(object, error);
  if (!error && local.family() != Family::none) network.bind(*object, local, rules, error);
  if (!error) return socket;
  if (socket.valid()) network.close(object);
  return {};
}

std::shared_ptr<Object> object_of(Socket socket) {
  std::shared_ptr<Object> object = Network::current().object(socket);
  require(object != nullptr, "a socket that is asked for is open on the current network");
  return object;
}

}  // namespace

Socket Sockets::listen(const Endpoint& endpoint, const ListenOptions& options,
                       std::error_code& error) {
  error.clear();
  if (endpoint.family() == Family::none) {
    error = std::make_error_code(std::errc::invalid_argument);
    return {};
  }
  const auto listener = std::make_shared<Listener>(Network::current().simulation(), options);
  return opened(listener, endpoint, {options.socket.reuse_port, options.v6_only}, error);
}

Socket Sockets::stream(Family family, const Endpoint& source, const SocketOptions& options,
                       std::error_code& error) {
  error.clear();
  const bool has_source = source.family() != Family::none;
  if (family == Family::none || (has_source && source.family() != family)) {
    error = std::make_error_code(std::errc::invalid_argument);
    return {};
  }
  const bool is_bound = has_source && (source.port() != 0 || !source.is_any());
  const auto stream = std::make_shared<Stream>(Network::current().simulation(), options);
  return opened(stream, is_bound ? source : Endpoint(), {}, error);
}

Socket Sockets::datagram(const Endpoint& local, const Endpoint& remote,
                         const SocketOptions& options, std::error_code& error) {
  error.clear();
  const bool is_local = local.family() != Family::none;
  const bool is_connected = remote.family() != Family::none;
  const bool differ = is_local && is_connected && local.family() != remote.family();
  if (differ || (!is_local && !is_connected)) {
    error = std::make_error_code(std::errc::invalid_argument);
    return {};
  }
  Network& network = Network::current();
  const Family family = is_local ? local.family() : remote.family();
  const auto object = std::make_shared<DatagramSocket>(network.simulation(), family, options);
  const Socket socket = opened(object, local, {options.reuse_port, true}, error);
  if (error || !is_connected) return socket;
  object->peer = remote;
  error = network.bind_source(*object, remote);
  if (!error) return socket;
  network.close(object);
  return {};
}

Endpoint Sockets::local(Socket socket) { return object_of(socket)->local; }

Endpoint Sockets::peer(Socket socket) {
  const auto object = object_of(socket);
  // The address that a stream asked for is its peer only once the peer has answered.
  if (object->kind == SocketKind::stream &&
      static_cast<Stream&>(*object).state != Stream::State::open) {
    return {};
  }
  return object->peer;
}

void Sockets::reset_on_close(Socket socket) {
  const auto object = object_of(socket);
  require(object->kind == SocketKind::stream, "reset_on_close is given a stream");
  static_cast<Stream&>(*object).resets_on_close = true;
}

void Sockets::close(Socket socket) {
  const auto object = object_of(socket);
  require(object->watcher == nullptr, "an attached socket is closed by Poller::close()");
  Network::current().close(object);
}

std::vector<Endpoint> Sockets::resolve(std::string_view host, std::uint16_t port,
                                       std::error_code& error) {
  error.clear();
  if (const auto numeric = Endpoint::from_address(host, port)) return {*numeric};
  const Endpoint loopback = Endpoint::ipv4({127, 0, 0, 1}, port);
  if (host == "localhost") {
    return {loopback, Endpoint::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port)};
  }
  if (host == "two.sim") return {Endpoint::ipv4({192, 0, 2, 1}, port), loopback};
  error = std::make_error_code(std::errc::no_such_device_or_address);
  return {};
}

}  // namespace tern::simulated
