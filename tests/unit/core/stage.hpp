// Stage: a reactor with a listener and clients in one thread, for the tests of the portable core.
//
//   CORE_CASE("what it is about") { Stage stage; Pair pair = stage.pair(); ... stage.until(...); }
//
// The same case runs on each core that the host can build. On the simulated one it runs twice, on a
// network in the manner of a readiness kernel and on one in the manner of a completion kernel.
// Nothing sleeps: a case steps the reactor until what it waits for is there, or fails.
//
// Recorder is a protocol that keeps what each connection heard, and checks of every callback that
// it does not nest, that opened() is the first and closed() the last, and that states are as drawn.
#pragma once

// A check is a call, not a page of code: these files compile in half the time.
#define DOCTEST_CONFIG_SUPER_FAST_ASSERTS
#include <doctest/doctest.h>

#include <chosen.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "backends/simulated/network.hpp"
#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tern/reactor.hpp"
#include "tests/support/case.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/tls.hpp"

namespace tern::test {

using namespace std::chrono_literals;

// Whether connections of a Stage speak TLS: the same cases are compiled twice.
#if defined(TERN_STAGE_TLS)
inline constexpr bool stage_speaks_tls = true;
#else
inline constexpr bool stage_speaks_tls = false;
#endif

inline constexpr bool is_simulated = Poller::name == std::string_view("simulated");

// Where a case runs.
template <class P>
struct Kernel {
  explicit Kernel(simulated::Style) {}
  static bool completes() { return P::sends_later(); }
};

class QuietNetwork {
 public:
  explicit QuietNetwork(simulated::Style style)
      : network_(test_seed(), simulated::Faults::none(), style) {}
  // Sends finish later, not at once: what a single send call achieves cannot be counted.
  bool completes() const { return network_.completes(); }

 private:
  simulated::Network network_;
};

using World = std::conditional_t<is_simulated, QuietNetwork, Kernel<Poller>>;

inline void in_each_world(void (*body)(World&)) {
  for (const auto style : {simulated::Style::readiness, simulated::Style::completion}) {
    World world(style);
    INFO("sends finish later: ", world.completes());
    body(world);
    if (!is_simulated) return;
  }
}

inline Endpoint loopback(std::uint16_t port = 0) { return Endpoint::ipv4({127, 0, 0, 1}, port); }

// Whether this system has Unix sockets.
inline bool has_sockets_by_path() {
  std::error_code error;
  const Socket socket = Poller::Sockets::stream(Family::local, {}, {}, error);
  if (socket.valid()) Poller::Sockets::close(socket);
  return !error;
}

// For cases that are about them: whether they must be left out, which is told.
inline bool lacks_sockets_by_path() {
  if (has_sockets_by_path()) return false;
  MESSAGE("left out: sockets by path are refused here");
  return true;
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Steps the reactor until `done`. Ten seconds without anything happening is a failure.
template <class Done>
void until(Reactor& reactor, Done&& done, const char* what) {
  int empty = 0;
  for (int turns = 0; !done(); ++turns) {
    REQUIRE_MESSAGE(turns < 5'000'000, "waited in vain for ", std::string(what));
    empty = reactor.turn(50ms) ? 0 : empty + 1;
    REQUIRE_MESSAGE(empty < 200, "nothing comes, waiting for ", std::string(what));
  }
}

// Lets everything arrive that is under way: until some turns in a row brought nothing.
inline void settle(Reactor& reactor) {
  int empty = 0;
  for (int turns = 0; empty < 5; ++turns) {
    REQUIRE_MESSAGE(turns < 1'000'000, "it does not settle");
    empty = reactor.turn(1ms) ? 0 : empty + 1;
  }
}

// What one connection's protocol heard.
struct Seen {
  Connection* connection = nullptr;  // until closed() has returned
  std::string received;
  std::uint64_t received_bytes = 0;
  std::uint64_t receives = 0;
  int opened = 0;
  int ended = 0;
  int drained = 0;
  int closed = 0;
  CloseReason reason = CloseReason::error;
  std::error_code error;
};

class Recorder final : public Protocol {
 public:
  std::deque<Seen> seen;  // in the order of connect(), or of opened() where the peer connected
  bool keeps_bytes = true;
  std::function<void(Connection&)> on_opened;
  std::function<void(Connection&, std::span<const std::byte>)> on_received;
  std::function<void(Connection&)> on_ended;  // absent: as a protocol's default, finish()
  std::function<void(Connection&)> on_drained;
  std::function<void(Connection&, CloseReason)> on_closed;

  // For a connection that is made by connect().
  Seen& adopt(Connection& connection) {
    Seen& adopted = seen.emplace_back();
    adopted.connection = &connection;
    connection.user_data = &adopted;
    return adopted;
  }
  static Seen& of(const Connection& connection) {
    return *static_cast<Seen*>(connection.user_data);
  }
  std::size_t closed_count() const { return closed_count_; }
  void forget_callbacks() {
    on_opened = on_ended = on_drained = {};
    on_received = {};
    on_closed = {};
  }

 private:
  // Callbacks of one thread never nest, whichever connection they are for.
  struct Depth {
    Depth() { CHECK(++depth() == 1); }
    ~Depth() { --depth(); }
    static int& depth() {
      static thread_local int value = 0;
      return value;
    }
  };

  void opened(Connection& connection) override {
    const Depth depth;
    if (connection.user_data == nullptr) adopt(connection);
    Seen& of_it = of(connection);
    ++of_it.opened;
    CHECK(of_it.opened == 1);
    CHECK(connection.state() == Connection::State::open);
    if (on_opened) on_opened(connection);
  }

  void received(Connection& connection, std::span<const std::byte> bytes) override {
    const Depth depth;
    Seen& of_it = of(connection);
    check_alive(of_it, connection);
    CHECK(of_it.ended == 0);
    CHECK_FALSE(bytes.empty());
    of_it.received_bytes += bytes.size();
    ++of_it.receives;
    if (keeps_bytes) of_it.received += text_of(bytes);
    if (on_received) on_received(connection, bytes);
  }

  void ended(Connection& connection) override {
    const Depth depth;
    Seen& of_it = of(connection);
    check_alive(of_it, connection);
    ++of_it.ended;
    CHECK(of_it.ended == 1);
    CHECK(connection.peer_ended());
    if (on_ended) return on_ended(connection);
    Protocol::ended(connection);
  }

  void drained(Connection& connection) override {
    const Depth depth;
    Seen& of_it = of(connection);
    check_alive(of_it, connection);
    ++of_it.drained;
    CHECK(connection.queued_bytes() <= connection.limits().output_low_bytes);
    if (on_drained) on_drained(connection);
  }

  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override {
    const Depth depth;
    if (connection.user_data == nullptr) adopt(connection);
    Seen& of_it = of(connection);
    ++of_it.closed;
    ++closed_count_;
    CHECK(of_it.closed == 1);
    CHECK(connection.state() == Connection::State::closed);
    CHECK(connection.queued_bytes() == 0);
    of_it.reason = reason;
    of_it.error = error;
    if (on_closed) on_closed(connection, reason);
    of_it.connection = nullptr;
  }

  static void check_alive(const Seen& of_it, const Connection& connection) {
    CHECK(of_it.opened == 1);
    CHECK(of_it.closed == 0);
    const bool has_state = connection.state() == Connection::State::open ||
                           connection.state() == Connection::State::draining;
    CHECK(has_state);
  }

  std::size_t closed_count_ = 0;
};

// Both ends of one connection.
struct Pair {
  Seen& client;
  Seen& server;
};

// A busy machine takes more than the default's ten seconds for a thousand handshakes.
inline Limits patient_limits() {
  Limits limits;
  limits.handshake_timeout = Duration::zero();
  return limits;
}

// The members' order matters: closed() is called while the reactor is destroyed.
struct Stage {
  explicit Stage(const Limits& all_limits = patient_limits(), const SocketOptions& options = {},
                 const ReactorOptions& reactor_options = {})
      : limits(all_limits), client_limits(all_limits), reactor(reactor_options) {
    ListenerOptions listener_options;
    listener_options.listen.socket = connect_options.socket = options;
    if (stage_speaks_tls) {
      static const auto server_context = make_tls_server(test_server_options());
      static const auto client_context = make_tls_client(test_client_options());
      listener_options.tls = server_context;
      connect_options.tls = client_context;
    }
    listener.emplace(reactor, loopback(), server, limits, listener_options);
  }

  // What the case's own variables are captured in is not called any more.
  ~Stage() {
    server.forget_callbacks();
    client.forget_callbacks();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Seen& connect() {
    Connector connector(reactor, client, client_limits, connect_options);
    return client.adopt(connector.connect(listener->local()));
  }

  // Connects, and waits until both ends are open.
  Pair pair() {
    const std::size_t before = server.seen.size();
    Seen& connected = connect();
    until([&] { return connected.opened == 1 && server.seen.size() > before; }, "a connected pair");
    return {connected, server.seen[before]};
  }

  template <class Done>
  void until(Done&& done, const char* what) {
    test::until(reactor, done, what);
  }
  void settle() { test::settle(reactor); }
  void until_closed(const Pair& pair) {
    until([&] { return pair.client.closed == 1 && pair.server.closed == 1; }, "both ends to close");
  }
  std::uint64_t count(CloseReason reason) const {
    return reactor.counters().closed[static_cast<std::size_t>(reason)];
  }

  Limits limits;         // of what the listener accepts
  Limits client_limits;  // of what connect() makes
  ConnectOptions connect_options;
  Recorder server;
  Recorder client;
  Reactor reactor;
  std::optional<Listener> listener;
};

}  // namespace tern::test

#define TERN_CORE_CASE_(name, body)                      \
  static void body(::tern::test::World&);                \
  TEST_CASE(name) { ::tern::test::in_each_world(body); } \
  static void body([[maybe_unused]] ::tern::test::World& world)
#define TERN_CORE_CASE_LINE_(name, line) TERN_CORE_CASE_(name, core_case_##line)
#define TERN_CORE_CASE_AT_(name, line) TERN_CORE_CASE_LINE_(name, line)
#define CORE_CASE(name) TERN_CORE_CASE_AT_(name, __LINE__)
