// ConnectionImpl: the connection as the core sees it. The states and their transitions are drawn in
// include/tern/connection.hpp. Not installed.
//
//   All that ends a connection goes through terminate(), once; the first cause is the reason. What
//   leads to which stands above it, in connection.cpp.
//
//   one of the reasons
//        │
//        ▼
//   terminate()        enters closing. Keeps the reason and the error. Drops the timer, the reply,
//        │             what TLS held back, the attempt to connect; and the queued output, unless a
//        │             send is unfinished: the kernel may be reading it.
//        │
//        ├─ has a socket ─────► poller.close() ─────────────┐
//        ├─ its socket failed ► was closed for that ────────┴─► the `close` completion, the last ─┐
//        └─ has none ─────────► Core::closed_due ─────────────► destroy_closed(), before the wait ┤
//        ┌────────────────────────────────────────────────────────────────────────────────────────┘
//        ▼
//   notify_closed()    enters closed. Drops the rest of the output, counts the reason, calls
//        │             closed() and then the source's connection_gone().
//        ▼
//   Core::destroy_due  until destroy_closed(): the destructor, then Core::connection_died.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

#include "backends/poller.hpp"
#include "tern/connection.hpp"
#include "tern/timer.hpp"

namespace tern {

class TlsSession;

// Whoever made a connection and counts those that are alive.
class ConnectionSource {
 public:
  virtual void connection_gone() = 0;

 protected:
  ~ConnectionSource() = default;
};

// About 120 bytes: ten thousand idle connections are to fit into little more than a megabyte.
class ConnectionImpl final : public Connection, public Owner, public Timer {
  friend class TlsSession;  // the half of it that only TLS needs

 public:
  ConnectionImpl(Reactor::Core& core, Protocol& protocol, const Limits& limits, State state,
                 ConnectionSource* source);
  // It will speak TLS; `peer_name` is whom a client expects. REQUIRES nothing has happened yet.
  void use_tls(std::shared_ptr<TlsContext> context, std::string peer_name);
  ~ConnectionImpl() override;

  // Takes the accepted socket. On failure that is still the caller's, and the connection is to be
  // destroyed; the protocol has heard nothing.
  bool accept(Socket socket, std::error_code& error);
  // An attempt to connect has begun or goes on with another socket.
  void set_channel(Channel channel) { channel_ = channel; }
  Channel channel() const { return channel_; }
  // None while an address has failed and the next one is still to be tried.
  bool has_socket() const { return channel_.valid() && !is_ending() && !has(flag_channel_closing); }
  // The socket is connected: opened() is called, with TLS after the handshake.
  void open();

  void queue(Slice bytes);
  void queue(const SharedBuffer& buffer);
  // Hands what is queued to the kernel: once a turn.
  void flush();
  void finish_sending();
  void close_gracefully();
  void set_paused(bool paused);
  void change_limits(const Limits& limits);
  // All that waits for the kernel, whatever it is.
  std::size_t bytes_queued() const;
  std::optional<TlsInfo> tls_info() const;
  Duration handshake_took() const;

  // Ends the connection at once. `reset`: the peer shall see a reset, not an end.
  void terminate(CloseReason reason, const std::error_code& error = {}, bool reset = false);
  // No channel is open any more: closed() is called, and the connection dies after this turn.
  void notify_closed();

  std::uint32_t pool_index = 0;

 private:
  // Beyond those in Connection.
  static constexpr std::uint16_t flag_receiving = 1U << 2;        // the standing order is given
  static constexpr std::uint16_t flag_output_full = 1U << 3;      // above the high watermark
  static constexpr std::uint16_t flag_sending = 1U << 4;          // a send is unfinished
  static constexpr std::uint16_t flag_dirty = 1U << 5;            // in Core::dirty
  static constexpr std::uint16_t flag_discarding = 1U << 6;       // close() was called: drop input
  static constexpr std::uint16_t flag_shut_down = 1U << 7;        // our half is shut
  static constexpr std::uint16_t flag_broken = 1U << 8;           // the peer takes no more bytes
  static constexpr std::uint16_t flag_channel_closing = 1U << 9;  // a failed address's socket

  void completed(const Completion& completion) override;
  void completed_otherwise(const Completion& completion);
  void deliver(Slice bytes);
  void fire() override;

  bool has(std::uint16_t flags) const { return (flags_ & flags) != 0; }
  void set(std::uint16_t flags) { flags_ = static_cast<std::uint16_t>(flags_ | flags); }
  void clear(std::uint16_t flags) { flags_ = static_cast<std::uint16_t>(flags_ & ~flags); }
  bool is_ending() const { return state_ == State::closing || state_ == State::closed; }
  void enter(State next);

  void on_connect(std::error_code error);
  void on_close();
  void on_receive(const Completion& completion);
  void on_receive_error(const std::error_code& error);
  void on_discarded(std::size_t bytes);
  void on_stream_end();
  void on_peer_end();
  void on_send(const Completion& completion);
  void on_reply_sent(const Completion& completion);
  void on_send_error(const std::error_code& error);

  void queue_copy(Slice bytes);
  void send_reply();
  void reply_left(std::size_t taken);
  void keep_reply();
  void queue_rest(Slice bytes);
  bool may_reply_with(std::size_t bytes) const;
  bool make_room(std::size_t bytes, std::size_t overhead = 0);
  template <class Append>
  void append(const Append& append_to);
  void queued_more();
  void send_queued();
  void send_queue(OutputQueue*& queue);
  OutputQueue*& offered();
  std::size_t lent_bytes() const { return has(flag_shut_down) ? 0 : lent_bytes_; }
  bool handed_over() const;
  void drop_queue(OutputQueue*& queue);
  void drop_output();
  void begin_linger();
  void shut_down();
  void pause_when_full();
  void resume_when_drained();
  void on_output_flushed();
  void update_receiving();
  void stop_receiving();
  Duration silence_max() const;
  void start_timer();
  void arm_for(Duration silence);

  Channel channel_;
  // One after the other: of the reply that the kernel still reads where it was received, until our
  // half is shut; what may still come and be dropped, after that.
  union {
    std::uint32_t lent_bytes_ = 0;
    std::uint32_t linger_bytes_left_;
  };
  ConnectionSource* source_;
  std::unique_ptr<TlsSession> tls_;  // null: plain
};

}  // namespace tern
