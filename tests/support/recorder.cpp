#include "tests/support/recorder.hpp"

#include <doctest/doctest.h>

#include "tests/support/values.hpp"

namespace tern::test {
namespace {

// Callbacks of one thread never nest, whichever connection they are for.
struct Depth {
  Depth() { CHECK(++depth() == 1); }
  ~Depth() { --depth(); }
  static int& depth() {
    static thread_local int value = 0;
    return value;
  }
};

void check_alive(const Seen& of_it, const Connection& connection) {
  CHECK(of_it.opened == 1);
  CHECK(of_it.closed == 0);
  const bool has_state = connection.state() == Connection::State::open ||
                         connection.state() == Connection::State::draining;
  CHECK(has_state);
}

}  // namespace

Seen& Recorder::adopt(Connection& connection) {
  Seen& adopted = seen.emplace_back();
  adopted.connection = &connection;
  connection.user_data = &adopted;
  return adopted;
}

void Recorder::forget_callbacks() {
  on_opened = on_ended = on_drained = {};
  on_received = {};
  on_closed = {};
}

void Recorder::opened(Connection& connection) {
  const Depth depth;
  if (connection.user_data == nullptr) adopt(connection);
  Seen& of_it = of(connection);
  ++of_it.opened;
  CHECK(of_it.opened == 1);
  CHECK(connection.state() == Connection::State::open);
  if (on_opened) on_opened(connection);
}

void Recorder::received(Connection& connection, std::span<const std::byte> bytes) {
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

void Recorder::ended(Connection& connection) {
  const Depth depth;
  Seen& of_it = of(connection);
  check_alive(of_it, connection);
  ++of_it.ended;
  CHECK(of_it.ended == 1);
  CHECK(connection.peer_ended());
  if (on_ended) return on_ended(connection);
  Protocol::ended(connection);
}

void Recorder::drained(Connection& connection) {
  const Depth depth;
  Seen& of_it = of(connection);
  check_alive(of_it, connection);
  ++of_it.drained;
  CHECK(connection.queued_bytes() <= connection.limits().output_low_bytes);
  if (on_drained) on_drained(connection);
}

void Recorder::closed(Connection& connection, CloseReason reason, const std::error_code& error) {
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

}  // namespace tern::test
