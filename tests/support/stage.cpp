#include "tests/support/stage.hpp"

namespace tern::test {

bool has_sockets_by_path() {
  std::error_code error;
  const Socket socket = core_backend().sockets.stream(Family::local, {}, {}, error);
  if (socket.valid()) core_backend().sockets.close(socket);
  return !error;
}

bool lacks_sockets_by_path() {
  if (has_sockets_by_path()) return false;
  MESSAGE("left out: sockets by path are refused here");
  return true;
}

void until(Reactor& reactor, const Condition& done, const char* what) {
  int empty = 0;
  for (int turns = 0; !done(); ++turns) {
    REQUIRE_MESSAGE(turns < 5'000'000, "waited in vain for ", std::string(what));
    empty = reactor.turn(50ms) ? 0 : empty + 1;
    REQUIRE_MESSAGE(empty < 200, "nothing comes, waiting for ", std::string(what));
  }
}

void settle(Reactor& reactor) {
  int empty = 0;
  for (int turns = 0; empty < 5; ++turns) {
    REQUIRE_MESSAGE(turns < 1'000'000, "it does not settle");
    empty = reactor.turn(1ms) ? 0 : empty + 1;
  }
}

Limits patient_limits() {
  Limits limits;
  limits.handshake_timeout = Duration::zero();
  return limits;
}

Stage::Stage(const Limits& all_limits, const SocketOptions& options,
             const ReactorOptions& reactor_options)
    : limits(all_limits), client_limits(all_limits), reactor(reactor_options) {
  ListenerOptions listener_options;
  listener_options.listen.socket = connect_options.socket = options;
  secure(listener_options, connect_options);
  listener.emplace(reactor, loopback(), server, limits, listener_options);
}

Stage::~Stage() {
  server.forget_callbacks();
  client.forget_callbacks();
}

Seen& Stage::connect() {
  Connector connector(reactor, client, client_limits, connect_options);
  return client.adopt(connector.connect(listener->local()));
}

Pair Stage::pair() {
  const std::size_t before = server.seen.size();
  Seen& connected = connect();
  until([&] { return connected.opened == 1 && server.seen.size() > before; }, "a connected pair");
  return {connected, server.seen[before]};
}

void Stage::until_closed(const Pair& pair) {
  until([&] { return pair.client.closed == 1 && pair.server.closed == 1; }, "both ends to close");
}

std::uint64_t Stage::count(CloseReason reason) const {
  return reactor.counters().closed[static_cast<std::size_t>(reason)];
}

}  // namespace tern::test
