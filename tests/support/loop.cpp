#include "tests/support/loop.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tern::test {
namespace {

std::uint64_t key_of(Channel channel) {
  return std::uint64_t{channel.generation} << 32U | channel.index;
}

void checked(const End& end) { EXPECT_NOTE(end.called_back == 0, "a call called back"); }

void check_error(const std::error_code& error) {
  EXPECT_NOTE(is_portable(error), "not in the vocabulary: " + error.message());
}

}  // namespace

Loop::Loop(const PollerOptions& options) : poller_(World::backend().make_poller(options)) {}

Loop::~Loop() {
  for (auto& [key, end] : ends_) {
    for (const Socket accepted : end->accepted) sockets().close(accepted);
  }
}

End& Loop::attach(Socket socket) {
  std::error_code error;
  End* const end = try_attach(socket, error);
  EXPECT_NOTE(end != nullptr, "attach: " + error.message());
  return *end;
}

End* Loop::try_attach(Socket socket, std::error_code& error) {
  EXPECT(socket.valid());
  auto end = std::make_unique<End>();
  const Channel channel = poller_->attach(socket, end.get(), error);
  EXPECT_EQUAL(channel.valid(), !error);
  if (error) {
    check_error(error);
    sockets().close(socket);
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

Socket Loop::listening(const Endpoint& endpoint, const ListenOptions& options) {
  std::error_code error;
  const Socket socket = sockets().listen(endpoint, options, error);
  EXPECT_NOTE(!error, "listen on " + endpoint.to_string() + ": " + error.message());
  return socket;
}

End& Loop::listen(const Endpoint& endpoint, const ListenOptions& options) {
  End& listener = attach(listening(endpoint, options));
  accept(listener);
  return listener;
}

Socket Loop::streaming(Family family, const SocketOptions& options, const Endpoint& source) {
  std::error_code error;
  const Socket socket = sockets().stream(family, source, options, error);
  EXPECT_NOTE(!error, "stream socket: " + error.message());
  return socket;
}

End& Loop::dial(const Endpoint& remote, const SocketOptions& options, const Endpoint& source) {
  End& end = attach(streaming(remote.family(), options, source));
  connect(end, remote);
  return end;
}

Loop::Pair Loop::pair(const SocketOptions& options) {
  if (pair_listener_ == nullptr || options != pair_options_) {
    ListenOptions listen_options;
    listen_options.socket = options;
    pair_options_ = options;
    pair_listener_ = &listen(loopback(), listen_options);
  }
  return pair_through(*pair_listener_, options);
}

Loop::Pair Loop::pair_through(End& listener, const SocketOptions& options) {
  End& client = dial(local(listener), options);
  until([&] { return client.connected && !listener.accepted.empty(); }, "a connected pair");
  EXPECT_NOTE(!client.connect_error, client.connect_error.message());
  return {client, attach_accepted(listener)};
}

End& Loop::attach_accepted(End& listener) {
  EXPECT(!listener.accepted.empty());
  const Socket socket = listener.accepted.front();
  listener.accepted.pop_front();
  return attach(socket);
}

End& Loop::datagram(const Endpoint& local, const Endpoint& remote) {
  std::error_code error;
  const Socket socket = sockets().datagram(local, remote, {}, error);
  EXPECT_NOTE(!error, "datagram socket: " + error.message());
  return attach(socket);
}

void Loop::accept(End& end) {
  end.accepting = true;
  poller_->accept(end.channel);
  checked(end);
}

void Loop::receive(End& end) {
  end.receiving = true;
  poller_->receive(end.channel);
  checked(end);
}

void Loop::stop(End& end, Operation operation) {
  (operation == Operation::accept ? end.accepting : end.receiving) = false;
  poller_->stop(end.channel, operation);
  checked(end);
}

void Loop::connect(End& end, const Endpoint& remote) {
  end.connecting = true;
  poller_->connect(end.channel, remote);
  checked(end);
}

std::size_t Loop::offer(End& end, std::span<const Slice> slices) {
  EXPECT(!end.sending);
  std::size_t offered = 0;
  for (const Slice slice : slices) offered += slice.size();
  const std::size_t taken = poller_->send(end.channel, slices);
  EXPECT(taken <= offered);
  end.sending = taken < offered;
  checked(end);
  return taken;
}

std::size_t Loop::offer(End& end, std::string_view text) {
  const std::array<Slice, 1> slices = {bytes_of(text)};
  return offer(end, slices);
}

std::size_t Loop::offer_to(End& end, std::span<const Datagram> datagrams) {
  EXPECT(!end.sending);
  const std::size_t taken = poller_->send_to(end.channel, datagrams);
  EXPECT(taken <= datagrams.size());
  end.sending = taken < datagrams.size();
  checked(end);
  return taken;
}

void Loop::send_datagrams(End& end, std::span<const Datagram> datagrams) {
  while (!datagrams.empty()) {
    const std::uint64_t taken_before = end.send_taken;
    const std::size_t taken = offer_to(end, datagrams);
    until([&] { return !end.sending; }, "room for datagrams");
    datagrams = datagrams.subspan(taken + (end.send_taken - taken_before));
  }
}

void Loop::write(End& end, std::string text) {
  if (text.empty()) return;
  end.output.push_back(std::move(text));
  flush(end);
}

void Loop::finish_sending(End& end) {
  until([&] { return written(end) || end.send_error; }, "the output to be taken");
  shutdown_send(end);
}

void Loop::shutdown_send(End& end) {
  EXPECT(!end.sending);
  poller_->shutdown_send(end.channel);
  checked(end);
}

void Loop::close(End& end) {
  EXPECT(!end.closing);
  end.closing = true;
  poller_->close(end.channel);
  checked(end);
  if (&end == pair_listener_) pair_listener_ = nullptr;
}

void Loop::reset(End& end) {
  sockets().reset_on_close(poller_->socket(end.channel));
  close(end);
}

void Loop::forget(End& end) {
  EXPECT(end.closed);
  for (const Socket accepted : end.accepted) sockets().close(accepted);
  ends_.erase(key_of(end.channel));
}

void Loop::close_and_forget(End& end) {
  close(end);
  until([&] { return end.closed; }, "the close completion");
  forget(end);
}

std::size_t Loop::turn(Duration limit) {
  const Time before = poller_->now();
  poller_->wait(limit);
  EXPECT_NOTE(poller_->now() >= before, "the clock went back");
  return finish_turn();
}

std::size_t Loop::finish_turn() {
  const std::size_t bound = 1024 + 8 * ends_.size();
  std::size_t count = 0;
  Completion completion;
  while (poller_->next(completion)) {
    ++count;
    EXPECT_NOTE(count <= bound, "a turn does not end");
    take(completion);
  }
  EXPECT_EQUAL(counters().completions, completions_);
  EXPECT_EQUAL(counters().received_bytes, received_bytes_);
  return count;
}

void Loop::until(const Condition& done, const char* what, std::size_t turns_max) {
  std::size_t empty = 0;
  for (std::size_t turns = 0; !done(); ++turns) {
    EXPECT_NOTE(turns < turns_max, std::string("waited in vain for ") + what);
    empty = turn() == 0 ? empty + 1 : 0;
    EXPECT_NOTE(empty < empty_turns_max, std::string("nothing comes, waiting for ") + what);
  }
}

void Loop::settle(std::size_t empty_turns, Duration limit) {
  std::size_t empty = 0;
  for (std::size_t turns = 0; empty < empty_turns; ++turns) {
    EXPECT_NOTE(turns < 100'000, "completions do not end");
    empty = turn(limit) == 0 ? empty + 1 : 0;
  }
}

std::size_t Loop::turns_during(Duration duration, std::size_t turns_max) {
  const Time end = poller_->now() + duration;
  std::size_t turns = 0;
  while (poller_->now() < end) {
    EXPECT_NOTE(turns < turns_max, "the poller spins");
    turn(end - poller_->now());
    ++turns;
  }
  return turns;
}

void Loop::flush(End& end) {
  while (!end.output.empty() && !end.sending && !end.send_error && !end.closing) {
    const std::string_view block = end.output.front();
    const std::size_t taken = offer(end, block.substr(end.output_taken));
    written_more(end, taken);
  }
}

void Loop::written_more(End& end, std::size_t count) {
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

void Loop::take(const Completion& completion) {
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

void Loop::take_accept(End& end, const Completion& completion) {
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

void Loop::take_connect(End& end, const Completion& completion) {
  EXPECT_NOTE(end.connecting, "a connect that was not ordered, or a second one");
  if (completion.error) check_error(completion.error);
  end.connecting = false;
  end.connected = !completion.error;
  end.connect_error = completion.error;
}

void Loop::take_receive(End& end, const Completion& completion) {
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

void Loop::take_datagrams(End& end, const Completion& completion) {
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
void Loop::take_send(End& end, const Completion& completion) {
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

void until(Loop& left, Loop& right, const Loop::Condition& done, const char* what) {
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
