// Recorder: a protocol that keeps what each connection heard, and checks of every callback that it
// does not nest, that opened() is the first and closed() the last, and that states are as drawn.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <system_error>

#include "tern/connection.hpp"

namespace tern::test {

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
  Seen& adopt(Connection& connection);
  static Seen& of(const Connection& connection) {
    return *static_cast<Seen*>(connection.user_data);
  }
  std::size_t closed_count() const { return closed_count_; }
  void forget_callbacks();

 private:
  void opened(Connection& connection) override;
  void received(Connection& connection, std::span<const std::byte> bytes) override;
  void ended(Connection& connection) override;
  void drained(Connection& connection) override;
  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override;

  std::size_t closed_count_ = 0;
};

}  // namespace tern::test
