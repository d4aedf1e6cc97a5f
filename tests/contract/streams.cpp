// Long streams: every byte once and in order, between two pollers, to the very end.
#include <future>
#include <thread>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

// Sends a pattern of a given length and checks what comes of the peer's.
class PatternPeer {
 public:
  PatternPeer(Loop& loop, End& end, std::uint64_t sends, std::uint64_t expects, std::uint64_t total)
      : loop_(loop), end_(end), sends_(sends), expects_(expects), total_(total) {
    end.keep_bytes = false;
    end.then = [this](End& heard, const Completion& completion) {
      if (completion.operation != Operation::receive) return;
      EXPECT_NOTE(
          expects_.matches(heard.received_count - completion.bytes.size(), completion.bytes),
          "at byte " + std::to_string(heard.received_count));
    };
    loop.receive(end);
  }

  // Keeps the output full, half-closes behind the last byte.
  void go_on() {
    if (!Loop::written(end_) || is_shut_) return;
    if (sent_ == total_) {
      loop_.shutdown_send(end_);
      is_shut_ = true;
      return;
    }
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(total_ - sent_, 400'000));
    loop_.write(end_, sends_.text(sent_, count));
    sent_ += count;
  }

  bool done() const {
    EXPECT_NOTE(!end_.failed(), "the stream broke");
    return is_shut_ && end_.ended;
  }
  void check() const { EXPECT_EQUAL(end_.received_count, total_); }

 private:
  Loop& loop_;
  End& end_;
  Pattern sends_;
  Pattern expects_;
  std::uint64_t total_;
  std::uint64_t sent_ = 0;
  bool is_shut_ = false;
};

SocketOptions small_buffers() {
  SocketOptions options;
  options.send_buffer_bytes = 64 * 1024;
  return options;
}

// One peer on its own thread; returns what went wrong.
std::string serve_pattern(std::promise<Endpoint>& address, std::uint64_t total) {
  try {
    Loop loop;
    ListenOptions options;
    options.socket = small_buffers();
    End& listener = loop.listen(loopback(), options);
    address.set_value(loop.local(listener));
    loop.until([&] { return !listener.accepted.empty(); }, "the other thread");
    PatternPeer peer(loop, loop.attach_accepted(listener), 1, 2, total);
    loop.until(
        [&] {
          peer.go_on();
          return peer.done();
        },
        "the other thread's stream", 100'000'000);
    peer.check();
    return {};
  } catch (const Failure& failure) {
    return failure.message;
  }
}

}  // namespace

// Both directions at once, a poller on each side, through a small send buffer.
CONTRACT_CASE(pattern_stream) {
  Loop left;
  Loop right;
  End& listener = left.listen();
  End& client = right.dial(left.local(listener), small_buffers());
  until(
      left, right, [&] { return client.connected && !listener.accepted.empty(); },
      "the connection");
  const std::uint64_t total = Case::scaled(std::size_t{64} << 20U);
  PatternPeer server_peer(left, left.attach_accepted(listener), 1, 2, total);
  PatternPeer client_peer(right, client, 2, 1, total);
  until(
      left, right,
      [&] {
        server_peer.go_on();
        client_peer.go_on();
        return server_peer.done() && client_peer.done();
      },
      "both streams");
  server_peer.check();
  client_peer.check();
}

// The same with a thread for each poller.
CONTRACT_CASE(pattern_stream_between_threads) {
  const std::uint64_t total = Case::scaled(std::size_t{64} << 20U);
  std::promise<Endpoint> address;
  std::future<Endpoint> address_future = address.get_future();
  std::string server_problem;
  std::thread server([&] { server_problem = serve_pattern(address, total); });
  std::string client_problem;
  try {
    Loop loop;
    End& client = loop.dial(address_future.get(), small_buffers());
    loop.until([&] { return client.connected; }, "the connection");
    PatternPeer peer(loop, client, 2, 1, total);
    loop.until(
        [&] {
          peer.go_on();
          return peer.done();
        },
        "the other thread's stream", 100'000'000);
    peer.check();
  } catch (const Failure& failure) {
    client_problem = failure.message;
  }
  server.join();
  EXPECT_NOTE(server_problem.empty(), server_problem);
  EXPECT_NOTE(client_problem.empty(), client_problem);
}

// A server writes 8 MiB, half-closes and closes at once, with a receive pending: nothing of it may
// turn into a reset. The client says nothing, so there is no unread input to excuse one.
CONTRACT_CASE(server_writes_8_mib_then_closes) {
  Loop loop;
  auto [client, server] = loop.pair();
  const std::string text = Pattern(run.seed()).text(0, std::size_t{8} << 20U);
  loop.receive(server);
  loop.receive(client);
  loop.write(server, text);
  loop.finish_sending(server);
  loop.close(server);
  loop.until([&client = client] { return client.finished(); }, "the end");
  EXPECT_NOTE(!client.receive_error, client.receive_error.message());
  EXPECT(client.received == text);
}

// Against a client that keeps talking: the server half-closes and reads on until the client ends.
// Against one that reads a byte at a time for a while.
CONTRACT_CASE(server_lingers_for_chatty_and_slow_clients) {
  for (const bool is_slow : {false, true}) {
    PollerOptions options;
    options.receive_bytes = is_slow ? 512 : 64 * 1024;
    Loop loop(options);
    auto [client, server] = loop.pair();
    const std::string text = Pattern(run.seed()).text(0, std::size_t{8} << 20U);
    client.keep_bytes = server.keep_bytes = false;
    Pattern pattern(run.seed());
    client.then = [&](End& end, const Completion& completion) {
      if (completion.operation != Operation::receive) return;
      EXPECT(pattern.matches(end.received_count - completion.bytes.size(), completion.bytes));
      if (is_slow && end.receiving && run.random().one_in(50)) loop.stop(end);
      if (completion.bytes.empty() || end.sending) return;
      loop.write(end, "and another thing");
    };
    server.then = [&](End& end, const Completion& completion) {
      if (completion.operation == Operation::receive && end.ended) loop.close(end);
    };
    loop.receive(server);
    loop.receive(client);
    loop.write(client, "hello");
    loop.write(server, text);
    bool server_said_all = false;
    bool client_said_all = false;
    loop.until(
        [&, &client = client, &server = server] {
          if (!server_said_all && Loop::written(server)) {
            loop.shutdown_send(server);
            server_said_all = true;
          }
          if (!client.receiving && !client.ended) loop.receive(client);
          if (client.ended && !client_said_all && Loop::written(client)) {
            loop.shutdown_send(client);
            client_said_all = true;
          }
          return server.closed;
        },
        "the end on both sides");
    EXPECT(!client.failed());
    EXPECT_EQUAL(client.received_count, text.size());
  }
}

// Many streams at once over two pollers, of random lengths in random pieces.
CONTRACT_CASE(many_streams) {
  Loop left;
  Loop right;
  End& listener = left.listen();
  std::vector<std::unique_ptr<PatternPeer>> peers;
  for (int index = 0; index < 50; ++index) {
    End& client = right.dial(left.local(listener), small_buffers());
    until(
        left, right, [&] { return client.connected && !listener.accepted.empty(); },
        "the connection");
    const std::uint64_t total = 1 + run.random().below(400'000);
    const std::uint64_t seed = static_cast<std::uint64_t>(index);
    End& server = left.attach_accepted(listener);
    peers.push_back(std::make_unique<PatternPeer>(left, server, seed, seed + 100, total));
    peers.push_back(std::make_unique<PatternPeer>(right, client, seed + 100, seed, total));
  }
  until(
      left, right,
      [&] {
        bool all = true;
        for (const auto& peer : peers) {
          peer->go_on();
          all = all && peer->done();
        }
        return all;
      },
      "all streams");
  for (const auto& peer : peers) peer->check();
}

}  // namespace tern::test
