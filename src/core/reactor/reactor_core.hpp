// Reactor::Core: what the parts of the portable core share on one thread. Not installed.
#pragma once

#include <array>
#include <atomic>
#include <chosen.hpp>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backends/poller.hpp"
#include "src/core/connection/connection.hpp"
#include "src/core/connection/output_queue.hpp"
#include "src/core/connection/reply.hpp"
#include "src/core/connection/tls_session.hpp"
#include "src/core/reactor/intrusive_list.hpp"
#include "src/core/reactor/pool.hpp"
#include "src/core/reactor/timer_wheel.hpp"
#include "tern/reactor.hpp"

namespace tern {

class Acceptor;
class ConnectAttempt;
class DatagramSocketImpl;

struct Reactor::Core {
  Core(Reactor& owner, const ReactorOptions& options);

  // --- one turn (reactor.cpp) ---
  bool begin_turn();
  void end_turn(Duration limit);
  std::size_t run_tasks();
  void flush_output();
  void destroy_closed();
  Duration wait_limit(Duration limit);

  // --- the end ---
  // Ends what the reactor owns: who is open hears closed(), queued tasks are destroyed unrun.
  // Returns whether there was anything, for that may have posted, here or to another reactor.
  bool end_everything();
  // The same of all, until none of them has anything left. Whoever has several reactors calls this
  // before the first is destroyed. REQUIRES none of them runs.
  static void end_all(std::span<Reactor* const> reactors);

  // --- output ---
  void mark_dirty(ConnectionImpl& connection) { dirty.push_back(&connection); }
  // --- TLS ---
  // Whether one more step of a handshake may be made in this turn. Each costs as much as hundreds
  // of messages, which must not wait for all of them.
  bool take_handshake_step();
  bool holds_input() const { return handshakes_waiting.size() + input_held.size() > 0; }
  // Returns how many sessions had their turn.
  std::size_t take_held_input();

  OutputQueue* take_queue();
  void give_back_queue(OutputQueue* queue);

  Reactor& reactor;
  const std::size_t receive_bytes;
  bool in_turn = false;
  bool ending = false;  // end_everything() was called: the reactor is about to be destroyed
  Poller poller;
  TimerWheel wheel;
  Counters counters;  // the poller's part is copied in when they are read

  Reply reply;  // to the receive that is being delivered

  Pool<ConnectionImpl> connections;
  std::vector<ConnectionImpl*> dirty;        // queued output in this turn
  std::vector<ConnectionImpl*> closed_due;   // ended before they had a channel; closed() is due
  std::vector<ConnectionImpl*> destroy_due;  // closed() was called; destroyed at the turn's end
  std::unordered_map<const ConnectionImpl*, std::error_code> causes;  // of closing connections
  std::unordered_map<const ConnectionImpl*, std::unique_ptr<ConnectAttempt>> attempts;
  std::vector<Acceptor*> acceptors;
  std::vector<DatagramSocketImpl*> datagram_sockets;
  // Told when connections have died: a draining server waits for the last one.
  std::function<void()> connection_died;

  // Room for one send; here because clearing it on the stack cost half of a small send.
  std::array<Slice, slices_max> slices;
  BlockPool blocks;
  std::vector<std::unique_ptr<OutputQueue>> spare_queues;

  // TLS: accepted connections in their handshake, the oldest first; those of them, and of clients,
  // that have input but wait for a step; those open ones that hold input which may be taken now.
  IntrusiveList<TlsSession> handshakes{&TlsSession::handshake_links};
  IntrusiveList<TlsSession> handshakes_waiting{&TlsSession::turn_links};
  IntrusiveList<TlsSession> input_held{&TlsSession::turn_links};
  std::uint64_t handshake_turn = 0;
  unsigned handshake_steps = 0;  // made in that turn
  // Room for the plaintext and the ciphertext of the call in hand.
  std::vector<std::byte> plaintext;
  std::vector<std::byte> ciphertext;  // empty whenever a protocol is called

  std::atomic<Task*> mailbox{nullptr};
  std::atomic<std::thread::id> loop_thread{};
  std::atomic<bool> stop_requested{false};
};

}  // namespace tern
