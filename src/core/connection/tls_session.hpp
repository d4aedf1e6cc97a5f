// TlsSession: what a connection has more when it speaks TLS. A plain one pays for a null pointer.
//
//     send() ─────► Connection::output_ ─► filter ─► records ─► kernel
//     received() ◄──────────────────────── filter ◄── held ◄─── kernel
//
//   Output is encrypted as late as possible and in long records: at most a few of them wait for the
//   kernel, all else as it was queued. Input is held back only while the protocol has paused, while
//   more waits to be sent than the limits allow, or while a handshake waits for its turn.
//
//   OWNERSHIP   The connection's.
//   INVARIANTS  What the peer makes us say (tickets, key updates, alerts) waits for the kernel with
//               the records, and counts there like everything else that waits.
// Not installed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "backends/poller.hpp"
#include "src/core/reactor/intrusive_list.hpp"
#include "tern/close_reason.hpp"
#include "tern/time.hpp"
#include "tern/tls.hpp"

namespace tern {

class ConnectionImpl;
class OutputQueue;

namespace tls {
class Filter;
struct Wire;
enum class Result : std::uint8_t;
}  // namespace tls

class TlsSession {
 public:
  // `peer_name` is whom a client expects.
  TlsSession(ConnectionImpl& connection, std::shared_ptr<TlsContext> context,
             std::string peer_name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // --- what becomes of the connection ---
  // The socket is connected: the handshake begins.
  void opened();
  void received(Slice ciphertext);
  // The kernel's end of the stream. TLS has its own, which would have come before it.
  void stream_ended();
  // received() has returned with this to say. REQUIRES nothing queued.
  void reply(Slice plaintext);
  // Encrypts what the connection has queued, as far as the kernel takes it. REQUIRES no send is
  // unfinished.
  void send_queued();
  // Before our half is shut: tells the peer that we have said all (close_notify). Returns whether
  // that has been handed over as well.
  bool said_all();
  // The connection ends. Whatever failed here first is the cause.
  void ended(CloseReason& reason, std::error_code& cause);

  // --- asked by it ---
  // Whether the kernel shall deliver, where the connection wants input or not: what is held goes
  // first.
  bool wants_input(bool wanted);
  std::optional<TlsInfo> info() const;
  Duration handshake_time() const { return handshake_time_; }

  // Its turn has come.
  void take_held_input();

  // Encrypted and not yet taken by the kernel; null when there is nothing.
  OutputQueue* records = nullptr;
  ListLinks<TlsSession> handshake_links;  // of an accepted connection, in Core::handshakes
  ListLinks<TlsSession> turn_links;       // in Core::handshakes_waiting or Core::input_held

 private:
  bool is_over() const;
  bool takes_input() const;
  bool holds_input() const;
  void wait_turn();
  void decrypt(Slice ciphertext);
  bool step_handshake(tls::Wire& wire);
  bool read_plaintext(tls::Wire& wire);
  bool goes_on_after(tls::Result result);
  void deliver(Slice plaintext);
  void established();
  bool encrypt_queued();
  bool encrypt(Slice plaintext, std::size_t& count);
  void send_encrypted();
  void fail(CloseReason reason, const std::error_code& error);

  ConnectionImpl& connection_;
  std::shared_ptr<TlsContext> context_;
  std::string peer_name_;                // of a client, until there is a filter
  std::unique_ptr<tls::Filter> filter_;  // from the first byte on: silence costs nothing
  std::vector<std::byte> held_;          // received, not yet decrypted
  Time handshake_from_{};
  Duration handshake_time_{};
  std::error_code error_;
  // How the stream goes on behind what was read while input was not taken.
  tls::Result deferred_result_;
  CloseReason failure_ = CloseReason::tls_error;
  bool failed_ = false;
  bool close_notify_sent_ = false;
};

}  // namespace tern
