// Loop: a poller driven by a test, turn by turn, and checked at every step. The poller is of the
// World that the case runs in.
//
// Whatever a case is about, these hold at each completion, and a case fails where one does not:
//   - it belongs to a channel that lives and names that channel's owner
//   - it was ordered: nothing comes of an operation that was not asked for, was stopped or is over
//   - nothing but `close` comes after close(), and after `close` nothing at all
//   - no call calls back, a turn's completions are bounded, now() does not go back
//   - an error is comparable with std::errc
//   - the poller's counters say what was seen
//
// A case waits by until(): turns are counted, and when nothing comes any more it fails with what it
// was waiting for. No case sleeps.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "tests/support/any_poller.hpp"
#include "tests/support/case.hpp"
#include "tests/support/end.hpp"
#include "tests/support/values.hpp"
#include "tests/support/world.hpp"

namespace tern::test {

using namespace std::chrono_literals;

// Every error has a portable meaning (rule 10).
inline bool is_portable(const std::error_code& error) {
  return error.default_error_condition().category() == std::generic_category();
}

// What turns_during() may come to when nothing happens; a poller that spins makes thousands. The
// unkind simulated kernel wakes us for nothing now and then.
inline constexpr std::size_t calm_turns_max = 10;

class Loop {
 public:
  using Condition = std::function<bool()>;

  struct Pair {
    End& client;
    End& server;
  };

  // How long one wait may take and how many in a row may bring nothing before until() gives up.
  // Ten seconds in all: a pump that gives up is a failure, so slow machines get their time.
  static constexpr Duration patience = 50ms;
  static constexpr std::size_t empty_turns_max = 200;

  explicit Loop(const PollerOptions& options = {});
  // What the poller still holds dies with it, before the ends that it refers to.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  AnyPoller& poller() { return *poller_; }
  const PollerCounters& counters() const { return poller_->counters(); }
  std::size_t size() const { return ends_.size(); }

  // --- sockets

  End& attach(Socket socket);
  // Nothing when the poller refuses; the socket, which is still the caller's then, is closed.
  End* try_attach(Socket socket, std::error_code& error);

  static Socket listening(const Endpoint& endpoint, const ListenOptions& options = {});
  // A listener that accepts.
  End& listen(const Endpoint& endpoint = loopback(), const ListenOptions& options = {});

  static Socket streaming(Family family = Family::ipv4, const SocketOptions& options = {},
                          const Endpoint& source = {});
  // A stream that has begun to connect.
  End& dial(const Endpoint& remote, const SocketOptions& options = {}, const Endpoint& source = {});

  // A connected stream with both ends here. Neither receives yet.
  Pair pair(const SocketOptions& options = {});
  // The same through a listener of the caller's.
  Pair pair_through(End& listener, const SocketOptions& options = {});
  // The oldest connection that the listener accepted.
  End& attach_accepted(End& listener);

  End& datagram(const Endpoint& local = loopback(), const Endpoint& remote = {});

  Endpoint local(const End& end) const { return sockets().local(poller_->socket(end.channel)); }
  Endpoint peer(const End& end) const { return sockets().peer(poller_->socket(end.channel)); }

  // --- orders

  void accept(End& end);
  void receive(End& end);
  void stop(End& end, Operation operation = Operation::receive);
  void connect(End& end, const Endpoint& remote);

  // One send() as it is; returns what was taken.
  std::size_t offer(End& end, std::span<const Slice> slices);
  std::size_t offer(End& end, std::string_view text);
  std::size_t offer_to(End& end, std::span<const Datagram> datagrams);
  // Offers until all are taken, over as many turns as that takes.
  void send_datagrams(End& end, std::span<const Datagram> datagrams);

  // Sends all of it, over as many turns as that takes.
  void write(End& end, std::string text);
  static bool written(const End& end) { return end.output.empty() && !end.sending; }
  // Waits until all that was written is taken, then half-closes.
  void finish_sending(End& end);
  void shutdown_send(End& end);

  void close(End& end);
  // Closes as a reset: the peer sees connection_reset.
  void reset(End& end);
  // Frees a closed end; the poller must not refer to it any more.
  void forget(End& end);
  void close_and_forget(End& end);

  // --- turns

  // One wait and all it brought. Returns the number of completions.
  std::size_t turn(Duration limit = patience);
  // The completions that this turn still has.
  std::size_t finish_turn();

  void until(const Condition& done, const char* what, std::size_t turns_max = 1'000'000);
  // Lets everything arrive that is under way: until a number of turns in a row brought nothing.
  void settle(std::size_t empty_turns = 5, Duration limit = 1ms);
  // The turns that it takes for `duration` to pass: few when nothing happens, thousands when the
  // poller spins. A slow machine makes fewer, never more.
  std::size_t turns_during(Duration duration, std::size_t turns_max = 100'000);

 private:
  void flush(End& end);
  static void written_more(End& end, std::size_t count);

  // Checks a completion against what was ordered and records it.
  void take(const Completion& completion);
  static void take_accept(End& end, const Completion& completion);
  static void take_connect(End& end, const Completion& completion);
  void take_receive(End& end, const Completion& completion);
  void take_datagrams(End& end, const Completion& completion);
  void take_send(End& end, const Completion& completion);

  std::unordered_map<std::uint64_t, std::unique_ptr<End>> ends_;
  std::unique_ptr<AnyPoller> poller_;
  // What the poller's own counters must say.
  std::uint64_t completions_ = 0;
  std::uint64_t received_bytes_ = 0;
  End* pair_listener_ = nullptr;
  SocketOptions pair_options_;
};

// Two loops in turn, for a stream between two pollers.
void until(Loop& left, Loop& right, const Loop::Condition& done, const char* what);

}  // namespace tern::test
