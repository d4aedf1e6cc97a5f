// Connection: a stream socket as a state machine, and Protocol: who listens to it.
//
//     connecting ──── connected ────► open ─── finish(), close() ───► draining
//       │    │                        ▲ │                              ▲  │
//       │    └─ TLS ─► handshaking ───┘ │                              │  │
//       │                │  │   agreed  │                              │  │
//       │                │  └───────────┼─ refused: the peer is told ──┘  │
//       │ failed         │ timed out    │ timed out, output_limit         │ both sides have ended,
//       │                │              │                                 │ or a limit is reached
//       └────────────────┴──────────────┴─────────────────────────────────┴─► closing ─► closed
//
//     abort() and a reset lead from each of them to closing, the poller's last completion from
//     there to closed. An accepted connection begins in `open`, with TLS in `handshaking`.
//
//   handshaking  TLS only: who we are and how we speak is being agreed on; nothing can be sent yet.
//   open      Both directions, until the peer's end: then we may still send.
//   draining  We have said all: queued output leaves, then our half is shut down. After finish()
//             input is still delivered; after close() it is read and dropped, so that the peer is
//             not reset before it read our last bytes (lingering close).
//   closing   The socket is going; no callback but closed() will come.
//
//   With TLS bytes are encrypted on the way; all else is the same. That we have said all is told
//   to the peer (close_notify), and ended() means that the peer has told us; a stream that ends
//   without it is `truncated`. What cannot be agreed on, or is broken, is `tls_error`. A connection
//   whose handshake fails hears closed() alone.
//
//   OWNERSHIP  A reactor owns its connections: they are made by a Listener, a Server or a
//              Connector, and die after closed() returns. Hold a Connection* only until then.
//   THREAD     The reactor's only. Reach it from elsewhere by Reactor::post().
//   INVARIANTS 1  closed() is called once, last, and never inside a call that the protocol makes.
//              2  A protocol's callbacks never nest.
//              3  Bytes are delivered once, in order; what was queued before the end is sent before
//                 the end, or the connection ends with a reason that says otherwise.
//              4  What a turn queues leaves in one send at its end. A first send() of bytes inside
//                 received() may leave when received() returns: as a rule if it is a part of the
//                 received bytes, which is not copied then, or short.
//              5  Queued output never exceeds Limits::output_bytes_max; with TLS what encryption
//                 adds to the records on their way, at most 512 bytes, comes on top.
//   ERRORS     No call throws except std::bad_alloc from send().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "tern/close_reason.hpp"
#include "tern/endpoint.hpp"
#include "tern/export.hpp"
#include "tern/reactor.hpp"
#include "tern/shared_buffer.hpp"
#include "tern/time.hpp"
#include "tern/tls.hpp"

namespace tern {

class Connection;

// What happens to a connection, told to the protocol. One protocol object may serve any number of
// connections of its reactor; what belongs to one connection hangs on Connection::user_data.
// Callbacks may call anything on any connection of the same reactor. They must not throw.
class TERN_API Protocol {
 public:
  virtual ~Protocol();

  // Bytes can be sent and received. Not called for a connection that never opened.
  virtual void opened(Connection& connection);
  // At least one byte; `bytes` is valid until the callback returns.
  virtual void received(Connection& connection, std::span<const std::byte> bytes) = 0;
  // The peer has said all. Default: connection.finish().
  virtual void ended(Connection& connection);
  // Queued output, having been above the high watermark, is at or below the low one again.
  virtual void drained(Connection& connection);
  // The last call; the connection dies after it. `error` is set where the kernel gave the reason.
  virtual void closed(Connection& connection, CloseReason reason, const std::error_code& error);
};

// A limit on everything. The values must outlive the connections that use them. Queued output is
// all that waits for the kernel: what was sent, and with TLS records, tickets and answers as well.
struct Limits {
  // Queued output above this stops the connection's own input (a slow reader waits for itself)...
  std::size_t output_high_bytes = 256 * 1024;
  // ... and at or below this it starts again. Not above the high watermark.
  std::size_t output_low_bytes = 64 * 1024;
  // A send() that would queue more than this closes the connection with reason output_limit.
  std::size_t output_bytes_max = 16 * 1024 * 1024;
  // Neither bytes received nor bytes taken by the kernel for this long: closed with reason
  // idle_timeout. Zero: never. Costs nothing for each message: the timer looks when it fires.
  Duration idle_timeout = std::chrono::minutes(5);
  // TLS: the handshake must be over by then, however busy the peer is. Zero: never.
  Duration handshake_timeout = std::chrono::seconds(10);
  // TLS: accepted connections of one reactor in their handshake. One more, and the oldest of them
  // is given up, so that those who only wait do not keep others out.
  std::size_t handshakes_max = 10'000;
  // Lingering close: after close(), when all output was handed over, input is read and dropped
  // until the peer has ended, or was silent for so long, or sent so many bytes (a receive counts
  // for at least a 1,024th of them).
  Duration linger_timeout = std::chrono::seconds(2);
  std::size_t linger_bytes_max = 1024 * 1024;
};

class TERN_API Connection {
 public:
  enum class State : std::uint8_t { connecting, handshaking, open, draining, closing, closed };

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Queues a copy of `bytes` (or sends them sooner, see invariant 4). Legal in every state;
  // outside `open` the bytes are dropped, as they would be by a peer that is gone.
  void send(std::span<const std::byte> bytes);
  void send(std::string_view text);
  // Queues a reference; the bytes are not copied.
  void send(const SharedBuffer& buffer);

  // Half-close: after the queued output the peer reads the end; input is still delivered. The
  // connection closes by itself when the peer has ended, too.
  void finish();
  // Sends what is queued, shuts down, drops further input, closes when the peer has ended or the
  // linger limits are reached.
  void close();
  // Closes at once with a reset; queued output is lost.
  void abort();

  // Stops and restarts the delivery of input. Counts nothing: one resume undoes any pauses. While
  // queued output is above the high watermark input stays stopped either way.
  void pause();
  void resume();

  State state() const { return state_; }
  bool peer_ended() const { return (flags_ & flag_peer_ended) != 0; }
  bool paused() const { return (flags_ & flag_paused) != 0; }
  // Bytes queued and not yet taken by the kernel: with TLS, encrypted or still to be, and what TLS
  // has to say itself.
  std::size_t queued_bytes() const;
  // The time of the last turn in which bytes moved in either direction.
  Time last_activity() const { return last_activity_; }
  Endpoint local() const;
  Endpoint peer() const;
  // What was agreed on; nothing without TLS, and before opened().
  std::optional<TlsInfo> tls() const;
  // How long the handshake took, by the times of its turns; zero without TLS, and before opened().
  Duration handshake_time() const;
  Reactor& reactor() const;
  const Limits& limits() const { return *limits_; }
  // Replaces the limits, e.g. after a log-in. `limits` must outlive the connection.
  void set_limits(const Limits& limits);
  Protocol& protocol() const { return *protocol_; }

  // The protocol's own, one word: set in opened(), given back in closed().
  void* user_data = nullptr;

 protected:
  // Made by the core only (src/core/connection/connection.hpp).
  Connection(Reactor::Core& core, Protocol& protocol, const Limits& limits, State state);
  ~Connection() = default;

  static constexpr std::uint16_t flag_peer_ended = 1U << 0;
  static constexpr std::uint16_t flag_paused = 1U << 1;

  Reactor::Core* core_;
  Protocol* protocol_;
  const Limits* limits_;
  class OutputQueue* output_ = nullptr;  // only while something is queued
  Time last_activity_;
  std::uint16_t flags_ = 0;
  State state_;
  bool plain_;  // open, and without TLS: what is received goes straight to the protocol
  CloseReason reason_ = CloseReason::finished;
};

// "open", "draining", ...
TERN_API std::string_view to_string(Connection::State state);

}  // namespace tern
