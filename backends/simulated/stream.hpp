// Stream: one end of a connection, and Listener, where connections wait to be accepted.
//
//              ┌── out ──► Pipe ──► in ──┐
//      Stream ─┤                         ├─ Stream    each end may be closed at any time; a
//              └── in ◄─── Pipe ◄── out ─┘            pipe carries on by itself what it took
//
//   fresh ──connect()──► connecting ──► open     a failed or reset stream is only to be closed
//                             └───────► failed
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <system_error>

#include "backends/simulated/object.hpp"
#include "backends/simulated/pipe.hpp"

namespace tern::simulated {

class Stream final : public Object, public std::enable_shared_from_this<Stream> {
 public:
  enum class State : std::uint8_t { fresh, connecting, open, failed };

  Stream(Simulation& simulation_of, const SocketOptions& options_of)
      : Object(simulation_of, SocketKind::stream), options(options_of) {}

  // Joins two ends by two pipes. Both may be the same stream: a connect to oneself.
  static void join(const std::shared_ptr<Stream>& left, const std::shared_ptr<Stream>& right);

  bool is_joined() const { return in_ != nullptr; }
  bool is_reset() const { return is_reset_; }
  bool is_readable() const;
  // There is room, or an error to report.
  bool is_sendable() const;
  // Takes at most `most` bytes of the slices. `error` when the stream cannot be sent to any more.
  std::size_t send(std::span<const Slice> slices, std::size_t most, std::error_code& error);
  // How much receive() would bring at most.
  std::size_t readable() const { return is_joined() ? in_->readable() : 0; }
  // Zero without an error is the end.
  std::size_t receive(std::span<std::byte> into, std::error_code& error);
  void shutdown_send();
  void close();
  // The connection breaks: both ends are reset.
  void break_off();
  // The other side, or the network, has reset the connection. Unread bytes are gone.
  void reset_arrived();

  State state = State::fresh;
  std::error_code connect_error;
  bool resets_on_close = false;
  SocketOptions options;

 private:
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  bool is_reset_ = false;
  bool reset_is_known_ = false;  // a receive or send has reported it
};

class Listener final : public Object, public std::enable_shared_from_this<Listener> {
 public:
  Listener(Simulation& simulation_of, const ListenOptions& options_of)
      : Object(simulation_of, SocketKind::listener), options(options_of) {}

  // As on Linux, one more than the backlog says.
  bool is_full() const {
    return options.backlog >= 0 && queue.size() > static_cast<std::size_t>(options.backlog);
  }
  // Worth a try: somebody waits, and the last try did not just fail for want of descriptors.
  bool is_acceptable() const { return !queue.empty() && !is_held; }
  // After an exhausted accept: not before accept_retry, an arrival or a freed descriptor.
  void hold();
  void release();
  void close();

  ListenOptions options;
  std::deque<std::shared_ptr<Stream>> queue;
  bool is_held = false;
};

}  // namespace tern::simulated
