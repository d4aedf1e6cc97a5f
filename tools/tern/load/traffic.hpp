// Traffic: the clients of one worker, over streams or over datagrams, and what the worker asks of
// them. The per-message work lies behind the library's own callbacks; the virtual calls here are
// made a few times a run.
//
//        LoadWorker (phases, timers) ──► Traffic ──► StreamTraffic    Connector, Connection
//             ▲                             │        ChurnTraffic     the same, one a message
//             │                             │        DatagramTraffic  DatagramSocket
//             └──────── changed() ──────────┘
//
//   THREAD  The worker's reactor only.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tern/reactor.hpp"
#include "tern/time.hpp"
#include "tools/tern/load/pattern.hpp"
#include "tools/tern/load/plan.hpp"
#include "tools/tern/load/result.hpp"

namespace tern::tool {

// The time of an answer is the time when its bytes are in our hands, not when the turn began: with
// many connections in a turn the last ones would look faster than they were.
inline std::int64_t clock_ns() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// The library's limits would stop our input while our output is queued, and an echo server stops
// its input while its output is queued: both would wait for ever. Traffic bounds what it queues by
// itself, and time-outs are its own.
Limits load_limits(const LoadPlan& plan);

class Traffic {
 public:
  Traffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result, std::function<void()> changed)
      : reactor_(reactor),
        plan_(plan),
        result_(result),
        changed_(std::move(changed)),
        pattern_(plan.options.seed, plan.options.is_datagram() ? 0 : plan.options.message_bytes),
        targets_(plan.targets) {}
  virtual ~Traffic() = default;
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Begins to open a client; an idle one counts as opening until its message is answered.
  virtual void open(std::size_t client) = 0;
  // Every open busy client sends its first messages; in an open loop, is ready to.
  virtual void start() = 0;
  // Open loop: begins the message that was planned for this time, whatever is unanswered. The
  // latency counts from the plan. False when no client is left that could send it.
  virtual bool begin_planned(std::int64_t planned_ns, std::int64_t now_ns) = 0;
  // Open loop: messages planned before this are verified, but not counted.
  void count_from(std::int64_t planned_ns) { counted_from_ns_ = planned_ns; }
  // No further messages; those under way are still awaited.
  virtual void stop_sending() = 0;
  // Ends clients whose answer is overdue.
  virtual void check() = 0;
  virtual Duration check_interval() const;
  // Ends the still unfinished ones: their answers are too late.
  virtual void give_up() = 0;
  // Closes all politely, so that the server has nothing to complain of; what it still sends is
  // surplus.
  virtual void finish_all() = 0;
  virtual void abort_all() = 0;

  // Clients neither open nor failed yet.
  std::size_t opening() const { return opening_; }
  // Busy clients that have something to send or to receive.
  std::size_t unfinished() const { return unfinished_; }
  // Clients whose socket is not closed yet.
  std::size_t alive() const { return alive_; }
  // Clients that could not be opened since the last one that could.
  std::size_t failed_in_a_row() const { return failed_in_a_row_; }
  // Whether several addresses may be connected to at once: not before one of them has answered.
  bool settled() const { return targets_.size() == 1; }

 protected:
  // How the client of that number connects (see LoadPlan::source_of).
  ConnectOptions connect_options(std::size_t number) const;
  // A connection is open, so long after it was begun. Of several addresses it settles on this one.
  void record_opened(const Connection& connection, std::int64_t took_ns);
  // Whether a connection that ended was never open; then its error is added. `is_opening`: it was
  // not open yet, so that a failure of TLS is its handshake's.
  bool has_failed_to_open(bool is_opening, CloseReason reason, const std::error_code& error);
  // An open connection that ended: of which class that is, and why.
  static LoadError error_of(CloseReason reason);
  static std::string cause_text(CloseReason reason, const std::error_code& error);
  // Sends a piece of the pattern from `index` on, at most `bytes_max`. Returns its length.
  std::size_t send_piece(Connection& connection, std::size_t index, std::uint64_t bytes_max) {
    if (pattern_.is_shared()) {
      const SharedBuffer& piece = pattern_.shared(index);
      connection.send(piece);
      return piece.size();
    }
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, LoadPattern::chunk_bytes));
    connection.send(pattern_.bytes(index, count));
    return count;
  }
  // What to say of `byte`, which came where the pattern has what stands at `index`.
  std::string wrong_byte_text(std::uint64_t offset, std::byte byte, std::size_t index) const;

  // One message was answered; `begun_ns` is when it was sent or, in an open loop, planned.
  void record_answers(std::int64_t begun_ns, std::int64_t now_ns, std::uint64_t messages) {
    if (begun_ns < counted_from_ns_) return;
    result_.measure.messages += messages;
    result_.measure.latency_ns.record(static_cast<std::uint64_t>(now_ns - begun_ns), messages);
  }

  Reactor& reactor_;
  const LoadPlan& plan_;
  LoadResult& result_;
  std::function<void()> changed_;
  LoadPattern pattern_;
  std::vector<Endpoint> targets_;
  std::int64_t counted_from_ns_ = 0;
  std::size_t opening_ = 0;
  std::size_t unfinished_ = 0;
  std::size_t alive_ = 0;
  std::size_t failed_in_a_row_ = 0;
};

}  // namespace tern::tool
