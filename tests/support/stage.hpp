// Stage: a reactor with a listener and clients in one thread, for the tests of the portable core.
//
//   CORE_CASE("what it is about") { Stage stage; Pair pair = stage.pair(); ... stage.until(...); }
//
// The same case runs on each core that the host can build. On the simulated one it runs twice, on a
// network in the manner of a readiness kernel and on one in the manner of a completion kernel.
// Nothing sleeps: a case steps the reactor until what it waits for is there, or fails.
//
// What a Stage is built for is decided by the linker, so that a case is compiled once for all:
//
//   stage_core.cpp                        the core, compiled once for each
//   stage_kernel.cpp, stage_simulated.cpp the worlds that a case runs in
//   stage_plain.cpp, stage_tls.cpp        whether connections speak TLS
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <optional>

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tern/reactor.hpp"
#include "tests/support/case.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/recorder.hpp"
#include "tests/support/values.hpp"
#include "tests/support/world.hpp"

namespace tern {

class TimerWheel;

namespace test {

using namespace std::chrono_literals;
using Condition = std::function<bool()>;

// --- the core that the case is linked with

const Backend& core_backend();
// Whether a send that the kernel took may finish later: what one send call achieves cannot be
// counted then.
bool sends_later(Reactor& reactor);
TimerWheel& wheel_of(Reactor& reactor);

// --- its worlds

extern const bool is_simulated;
void in_each_world(void (*body)());

// Whether this system has Unix sockets.
bool has_sockets_by_path();
// For cases that are about them: whether they must be left out, which is told.
bool lacks_sockets_by_path();

// --- reactors

// Steps the reactor until `done`. Ten seconds without anything happening is a failure.
void until(Reactor& reactor, const Condition& done, const char* what);
// Lets everything arrive that is under way: until some turns in a row brought nothing.
void settle(Reactor& reactor);

// Both ends of one connection.
struct Pair {
  Seen& client;
  Seen& server;
};

// A busy machine takes more than the default's ten seconds for a thousand handshakes.
Limits patient_limits();

// Has both speak TLS, or does nothing.
void secure(ListenerOptions& listener, ConnectOptions& connector);

// The members' order matters: closed() is called while the reactor is destroyed.
struct Stage {
  explicit Stage(const Limits& all_limits = patient_limits(), const SocketOptions& options = {},
                 const ReactorOptions& reactor_options = {});
  // What the case's own variables are captured in is not called any more.
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Seen& connect();
  // Connects, and waits until both ends are open.
  Pair pair();

  void until(const Condition& done, const char* what) { test::until(reactor, done, what); }
  void settle() { test::settle(reactor); }
  void until_closed(const Pair& pair);
  std::uint64_t count(CloseReason reason) const;
  bool sends_later() { return test::sends_later(reactor); }

  Limits limits;         // of what the listener accepts
  Limits client_limits;  // of what connect() makes
  ConnectOptions connect_options;
  Recorder server;
  Recorder client;
  Reactor reactor;
  std::optional<Listener> listener;
};

}  // namespace test
}  // namespace tern

#define TERN_CORE_CASE_(name, body)                      \
  static void body();                                    \
  TEST_CASE(name) { ::tern::test::in_each_world(body); } \
  static void body()
#define TERN_CORE_CASE_NUMBER_(name, number) TERN_CORE_CASE_(name, core_case_##number)
#define TERN_CORE_CASE_AT_(name, number) TERN_CORE_CASE_NUMBER_(name, number)
#define CORE_CASE(name) TERN_CORE_CASE_AT_(name, __COUNTER__)
