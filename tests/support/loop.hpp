// Loop: a poller driven by a test, turn by turn, and checked at every step.
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

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "backends/poller.hpp"
#include "tests/support/case.hpp"
#include "tests/support/end.hpp"

namespace tern::test {

using namespace std::chrono_literals;

inline Endpoint loopback(std::uint16_t port = 0) { return Endpoint::ipv4({127, 0, 0, 1}, port); }

inline Endpoint loopback_ipv6(std::uint16_t port = 0) {
  return Endpoint::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
}

// Every error has a portable meaning (rule 10).
inline bool is_portable(const std::error_code& error) {
  return error.default_error_condition().category() == std::generic_category();
}

// What turns_during() may come to when nothing happens; a poller that spins makes thousands. The
// unkind simulated kernel wakes us for nothing now and then.
inline constexpr std::size_t calm_turns_max = 10;

template <class P>
class Loop {
 public:
  using Sockets = typename P::Sockets;

  struct Pair {
    End& client;
    End& server;
  };

  // How long one wait may take and how many in a row may bring nothing before until() gives up.
  // Ten seconds in all: a pump that gives up is a failure, so slow machines get their time.
  static constexpr Duration patience = 50ms;
  static constexpr std::size_t empty_turns_max = 200;

  explicit Loop(const PollerOptions& options = {}) : poller_(options) {}

  // What the poller still holds dies with it, before the ends that it refers to.
  ~Loop() {
    for (auto& [key, end] : ends_) {
      for (const Socket accepted : end->accepted) Sockets::close(accepted);
    }
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  P& poller() { return poller_; }
  const PollerCounters& counters() const { return poller_.counters(); }
  std::size_t size() const { return ends_.size(); }

  // --- sockets

  End& attach(Socket socket) {
    std::error_code error;
    End* const end = try_attach(socket, error);
    EXPECT_NOTE(end != nullptr, "attach: " + error.message());
    return *end;
  }

  // Nothing when the poller refuses; the socket, which is still the caller's then, is closed.
  End* try_attach(Socket socket, std::error_code& error) {
    EXPECT(socket.valid());
    auto end = std::make_unique<End>();
    const Channel channel = poller_.attach(socket, end.get(), error);
    EXPECT_EQUAL(channel.valid(), !error);
    if (error) {
      check_error(error);
      Sockets::close(socket);
      return nullptr;
    }
    end->channel = channel;
    end->socket = socket;
    End& attached = *end;
    const bool is_new = ends_.emplace(key_of(channel), std::move(end)).second;
    EXPECT_NOTE(is_new, "a channel was given twice");
    checked(attached);
    return &attached;
  }

  static Socket listening(const Endpoint& endpoint, const ListenOptions& options = {}) {
    std::error_code error;
    const Socket socket = Sockets::listen(endpoint, options, error);
    EXPECT_NOTE(!error, "listen on " + endpoint.to_string() + ": " + error.message());
    return socket;
  }

  // A listener that accepts.
  End& listen(const Endpoint& endpoint = loopback(), const ListenOptions& options = {}) {
    End& listener = attach(listening(endpoint, options));
    accept(listener);
    return listener;
  }

  static Socket streaming(Family family = Family::ipv4, const SocketOptions& options = {},
                          const Endpoint& source = {}) {
    std::error_code error;
    const Socket socket = Sockets::stream(family, source, options, error);
    EXPECT_NOTE(!error, "stream socket: " + error.message());
    return socket;
  }

  // A stream that has begun to connect.
  End& dial(const Endpoint& remote, const SocketOptions& options = {},
            const Endpoint& source = {}) {
    End& end = attach(streaming(remote.family(), options, source));
    connect(end, remote);
    return end;
  }

  // A connected stream with both ends here. Neither receives yet.
  Pair pair(const SocketOptions& options = {}) {
    if (pair_listener_ == nullptr || options != pair_options_) {
      ListenOptions listen_options;
      listen_options.socket = options;
      pair_options_ = options;
      pair_listener_ = &listen(loopback(), listen_options);
    }
    return pair_through(*pair_listener_, options);
  }

  // The same through a listener of the caller's.
  Pair pair_through(End& listener, const SocketOptions& options = {}) {
    End& client = dial(local(listener), options);
    until([&] { return client.connected && !listener.accepted.empty(); }, "a connected pair");
    EXPECT_NOTE(!client.connect_error, client.connect_error.message());
    return {client, attach_accepted(listener)};
  }

  // The oldest connection that the listener accepted.
  End& attach_accepted(End& listener) {
    EXPECT(!listener.accepted.empty());
    const Socket socket = listener.accepted.front();
    listener.accepted.pop_front();
    return attach(socket);
  }

  End& datagram(const Endpoint& local = loopback(), const Endpoint& remote = {}) {
    std::error_code error;
    const Socket socket = Sockets::datagram(local, remote, {}, error);
    EXPECT_NOTE(!error, "datagram socket: " + error.message());
    return attach(socket);
  }

  Endpoint local(const End& end) const { return Sockets::local(poller_.socket(end.channel)); }
  Endpoint peer(const End& end) const { return Sockets::peer(poller_.socket(end.channel)); }

  // --- orders

  void accept(End& end) {
    end.accepting = true;
    poller_.accept(end.channel);
    checked(end);
  }

  void receive(End& end) {
    end.receiving = true;
    poller_.receive(end.channel);
    checked(end);
  }

  void stop(End& end, Operation operation = Operation::receive) {
    (operation == Operation::accept ? end.accepting : end.receiving) = false;
    poller_.stop(end.channel, operation);
    checked(end);
  }

  void connect(End& end, const Endpoint& remote) {
    end.connecting = true;
    poller_.connect(end.channel, remote);
    checked(end);
  }

  // One send() as it is; returns what was taken.
  std::size_t offer(End& end, std::span<const Slice> slices) {
    EXPECT(!end.sending);
    std::size_t offered = 0;
    for (const Slice slice : slices) offered += slice.size();
    const std::size_t taken = poller_.send(end.channel, slices);
    EXPECT(taken <= offered);
    end.sending = taken < offered;
    checked(end);
    return taken;
  }

  std::size_t offer(End& end, std::string_view text) {
    const std::array<Slice, 1> slices = {slice_of(text)};
    return offer(end, slices);
  }

  std::size_t offer_to(End& end, std::span<const Datagram> datagrams) {
    EXPECT(!end.sending);
    const std::size_t taken = poller_.send_to(end.channel, datagrams);
    EXPECT(taken <= datagrams.size());
    end.sending = taken < datagrams.size();
    checked(end);
    return taken;
  }

  // Offers until all are taken, over as many turns as that takes.
  void send_datagrams(End& end, std::span<const Datagram> datagrams) {
    while (!datagrams.empty()) {
      const std::uint64_t taken_before = end.send_taken;
      const std::size_t taken = offer_to(end, datagrams);
      until([&] { return !end.sending; }, "room for datagrams");
      datagrams = datagrams.subspan(taken + (end.send_taken - taken_before));
    }
  }

  // Sends all of it, over as many turns as that takes.
  void write(End& end, std::string text) {
    if (text.empty()) return;
    end.output.push_back(std::move(text));
    flush(end);
  }
  static bool written(const End& end) { return end.output.empty() && !end.sending; }

  // Waits until all that was written is taken, then half-closes.
  void finish_sending(End& end) {
    until([&] { return written(end) || end.send_error; }, "the output to be taken");
    shutdown_send(end);
  }

  void shutdown_send(End& end) {
    EXPECT(!end.sending);
    poller_.shutdown_send(end.channel);
    checked(end);
  }

  void close(End& end) {
    EXPECT(!end.closing);
    end.closing = true;
    poller_.close(end.channel);
    checked(end);
    if (&end == pair_listener_) pair_listener_ = nullptr;
  }

  // Closes as a reset: the peer sees connection_reset.
  void reset(End& end) {
    Sockets::reset_on_close(poller_.socket(end.channel));
    close(end);
  }

  // Frees a closed end; the poller must not refer to it any more.
  void forget(End& end) {
    EXPECT(end.closed);
    for (const Socket accepted : end.accepted) Sockets::close(accepted);
    ends_.erase(key_of(end.channel));
  }

  void close_and_forget(End& end) {
    close(end);
    until([&] { return end.closed; }, "the close completion");
    forget(end);
  }

  // --- turns

  // One wait and all it brought. Returns the number of completions.
  std::size_t turn(Duration limit = patience) {
    const Time before = poller_.now();
    poller_.wait(limit);
    EXPECT_NOTE(poller_.now() >= before, "the clock went back");
    return finish_turn();
  }

  // The completions that this turn still has.
  std::size_t finish_turn() {
    const std::size_t bound = 1024 + 8 * ends_.size();
    std::size_t count = 0;
    Completion completion;
    while (poller_.next(completion)) {
      ++count;
      EXPECT_NOTE(count <= bound, "a turn does not end");
      take(completion);
    }
    EXPECT_EQUAL(counters().completions, completions_);
    EXPECT_EQUAL(counters().received_bytes, received_bytes_);
    return count;
  }

  template <class Done>
  void until(Done&& done, const char* what, std::size_t turns_max = 1'000'000) {
    std::size_t empty = 0;
    for (std::size_t turns = 0; !done(); ++turns) {
      EXPECT_NOTE(turns < turns_max, std::string("waited in vain for ") + what);
      empty = turn() == 0 ? empty + 1 : 0;
      EXPECT_NOTE(empty < empty_turns_max, std::string("nothing comes, waiting for ") + what);
    }
  }

  // Lets everything arrive that is under way: until a number of turns in a row brought nothing.
  void settle(std::size_t empty_turns = 5, Duration limit = 1ms) {
    std::size_t empty = 0;
    for (std::size_t turns = 0; empty < empty_turns; ++turns) {
      EXPECT_NOTE(turns < 100'000, "completions do not end");
      empty = turn(limit) == 0 ? empty + 1 : 0;
    }
  }

  // The turns that it takes for `duration` to pass: few when nothing happens, thousands when the
  // poller spins. A slow machine makes fewer, never more.
  std::size_t turns_during(Duration duration, std::size_t turns_max = 100'000) {
    const Time end = poller_.now() + duration;
    std::size_t turns = 0;
    while (poller_.now() < end) {
      EXPECT_NOTE(turns < turns_max, "the poller spins");
      turn(end - poller_.now());
      ++turns;
    }
    return turns;
  }

 private:
  static std::uint64_t key_of(Channel channel) {
    return std::uint64_t{channel.generation} << 32U | channel.index;
  }

  void checked(const End& end) const { EXPECT_NOTE(end.called_back == 0, "a call called back"); }

  void flush(End& end) {
    while (!end.output.empty() && !end.sending && !end.send_error && !end.closing) {
      const std::string_view block = end.output.front();
      const std::size_t taken = offer(end, block.substr(end.output_taken));
      written_more(end, taken);
    }
  }

  static void written_more(End& end, std::size_t count) {
    while (count > 0) {
      EXPECT(!end.output.empty());
      const std::size_t step = std::min(count, end.output.front().size() - end.output_taken);
      EXPECT_NOTE(step > 0, "more was taken than was offered");
      end.output_taken += step;
      count -= step;
      if (end.output_taken == end.output.front().size()) {
        end.output.pop_front();
        end.output_taken = 0;
      }
    }
  }

  // Checks a completion against what was ordered and records it.
  void take(const Completion& completion) {
    const auto found = ends_.find(key_of(completion.channel));
    EXPECT_NOTE(found != ends_.end(), "a completion of a channel that is no more");
    End& end = *found->second;
    EXPECT_NOTE(completion.owner == &end, "the owner is not the one attached");
    EXPECT_NOTE(!end.closed, "a completion after `close`");
    EXPECT_NOTE(!end.closing || completion.operation == Operation::close,
                "a completion other than `close` after close()");
    ++end.completions;
    ++completions_;
    switch (completion.operation) {
      case Operation::accept:
        take_accept(end, completion);
        break;
      case Operation::connect:
        take_connect(end, completion);
        break;
      case Operation::receive:
        take_receive(end, completion);
        break;
      case Operation::send:
        take_send(end, completion);
        break;
      case Operation::close:
        EXPECT_NOTE(end.closing, "a close completion without close()");
        end.closed = true;
        end.accepting = end.receiving = end.connecting = end.sending = false;
        end.output.clear();
        break;
    }
    if (end.then) {
      // A copy, because the hook may forget the end that holds it.
      const auto then = end.then;
      then(end, completion);
    }
  }

  static void check_error(const std::error_code& error) {
    EXPECT_NOTE(is_portable(error), "not in the vocabulary: " + error.message());
  }

  void take_accept(End& end, const Completion& completion) {
    EXPECT_NOTE(end.accepting, "an accept that was not ordered");
    if (completion.error) {
      check_error(completion.error);
      end.accept_errors.push_back(completion.error);
      return;
    }
    EXPECT(completion.accepted.valid());
    EXPECT(completion.accepted.kind == SocketKind::stream);
    end.accepted.push_back(completion.accepted);
  }

  void take_connect(End& end, const Completion& completion) {
    EXPECT_NOTE(end.connecting, "a connect that was not ordered, or a second one");
    if (completion.error) check_error(completion.error);
    end.connecting = false;
    end.connected = !completion.error;
    end.connect_error = completion.error;
  }

  void take_receive(End& end, const Completion& completion) {
    EXPECT_NOTE(end.receiving, "a receive that was not ordered, or after the end");
    if (completion.error) check_error(completion.error);
    if (end.socket.kind == SocketKind::datagram) {
      take_datagrams(end, completion);
      return;
    }
    if (completion.error) {
      end.receive_error = completion.error;
      end.receiving = false;
    } else if (completion.bytes.empty()) {
      end.ended = true;
      end.receiving = false;
    } else {
      ++end.receives;
      end.received_count += completion.bytes.size();
      received_bytes_ += completion.bytes.size();
      if (end.keep_bytes) end.received += text_of(completion.bytes);
    }
  }

  void take_datagrams(End& end, const Completion& completion) {
    if (completion.error) {
      end.datagram_errors.push_back(completion.error);
      return;
    }
    EXPECT_NOTE(!completion.datagrams.empty(), "a receive without datagrams");
    EXPECT(completion.datagrams.size() <= datagrams_max);
    for (const Datagram& datagram : completion.datagrams) {
      received_bytes_ += datagram.bytes.size();
      end.datagrams.push_back(
          {std::string(text_of(datagram.bytes)), datagram.peer, datagram.truncated});
    }
  }

  // A refused datagram's error stands for itself: it does not finish an unfinished send.
  void take_send(End& end, const Completion& completion) {
    ++end.sends;
    if (completion.error) check_error(completion.error);
    if (end.socket.kind == SocketKind::datagram && completion.error) {
      end.datagram_errors.push_back(completion.error);
      return;
    }
    EXPECT_NOTE(end.sending, "a send that was not ordered, or a second completion of it");
    end.sending = false;
    if (completion.error) {
      end.send_error = completion.error;
      end.output.clear();
      end.output_taken = 0;
      return;
    }
    end.send_taken += completion.count;
    if (end.output.empty()) return;
    written_more(end, completion.count);
    flush(end);
  }

  std::unordered_map<std::uint64_t, std::unique_ptr<End>> ends_;
  P poller_;
  // What the poller's own counters must say.
  std::uint64_t completions_ = 0;
  std::uint64_t received_bytes_ = 0;
  End* pair_listener_ = nullptr;
  SocketOptions pair_options_;
};

// Two loops in turn, for a stream between two pollers.
template <class P, class Done>
void until(Loop<P>& left, Loop<P>& right, Done&& done, const char* what) {
  std::size_t empty = 0;
  for (std::size_t turns = 0; !done(); ++turns) {
    EXPECT_NOTE(turns < 10'000'000, std::string("waited in vain for ") + what);
    // Only looks while there is something to do. One cannot wait for both: when both are idle for a
    // while, each waits a little for its own news.
    const Duration limit = empty < 100 ? Duration::zero() : 1ms;
    const std::size_t count = left.turn(limit) + right.turn(limit);
    empty = count == 0 ? empty + 1 : 0;
    EXPECT_NOTE(empty < 5000, std::string("nothing comes, waiting for ") + what);
  }
}

}  // namespace tern::test
