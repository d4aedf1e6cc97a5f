// Echo through connections on a rough network: many clients with scripts of their own, a server
// that answers in every way it can, and a seed that decides.
//
// Whatever happens, on both ends:
//   - each byte arrives once and in order
//   - the peer's end comes after every byte that it had queued before it: after finish(), after
//     close(), and when it answers our end
//   - queued output stays within its limits, and callbacks keep their order
//   - at the end nothing is left: no connection, no socket, and the counters add up
// A failing seed is printed; TERN_TEST_SEED replays it.
#include <map>
#include <memory>
#include <vector>

#include "src/core/reactor/reactor_core.hpp"
#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tests/simulation/poller_support.hpp"
#include "tests/support/tls.hpp"

namespace tern::test {
namespace {

struct Side;

// One connection: what its client writes is a pattern, and the server sends the same back.
struct Talk {
  explicit Talk(std::uint64_t number_of_it) : number(number_of_it), pattern(number_of_it) {}
  std::uint64_t number;  // 0: its client was gone when it was accepted
  Pattern pattern;
  std::unique_ptr<Side> client;
  std::unique_ptr<Side> server;  // null until it is accepted, or if it never is
};

// One end of it.
struct Side {
  Talk* talk = nullptr;
  bool is_server = false;
  Connection* connection = nullptr;  // until closed()
  std::uint64_t sent = 0;            // queued while that was possible
  std::uint64_t received = 0;
  bool has_dropped_input = false;  // after close()
  bool opened = false;
  bool ended = false;
  bool closed = false;
  CloseReason reason = CloseReason::error;
};

class ConnectionSoak final : public Protocol {
 public:
  ConnectionSoak(Case& run, std::size_t steps, Style style, bool over_tls = false)
      : run_(run), steps_(steps), network_(run.seed(), Faults::rough(), style) {
    if (over_tls) {
      server_tls_ = make_tls_server(test_server_options());
      client_tls_ = make_tls_client(test_client_options());
    }
    server_limits_.handshake_timeout = client_limits_.handshake_timeout = 200ms;
    server_limits_.handshakes_max = 2;
    server_limits_.output_high_bytes = 2000;
    server_limits_.output_low_bytes = 500;
    server_limits_.output_bytes_max = 6000;
    client_limits_.output_high_bytes = 20'000;
    client_limits_.output_low_bytes = 4000;
    client_limits_.output_bytes_max = 30'000;
    server_limits_.idle_timeout = client_limits_.idle_timeout = 300ms;
    server_limits_.linger_timeout = client_limits_.linger_timeout = 100ms;
    tight_limits_ = server_limits_;
    tight_limits_.output_high_bytes = 100;
    tight_limits_.output_low_bytes = 0;
  }

  // Returns the transcript.
  std::uint64_t play() {
    {
      Reactor server;
      Reactor client;
      server_ = &server;
      client_ = run_.seed() % 2 == 0 ? &client : &server;  // or all on one
      ListenerOptions options;
      options.retry_delay = 5ms;
      options.tls = server_tls_;
      network_.faults().attach_error = 0;
      Listener listener(server, loopback(7000), *this, server_limits_, options);
      network_.faults().attach_error = Faults::rough().attach_error;
      for (std::size_t step = 0; step < steps_; ++step) {
        act();
        turn();
      }
      listener.close();
      wind_up();
      check_what_is_left();
      counters_ = total();
    }
    EXPECT_NOTE(finished_ > 0, "no connection came to its end: the soak tests nothing");
    return network_.transcript();
  }
  // What the reactors had counted at the end.
  const Counters& counters() const { return counters_; }

 private:
  // Out of callbacks nothing may be thrown: the first thing that does not hold ends the next step.
  void check(bool holds, const char* what) {
    if (!holds && problem_.empty()) problem_ = what;
  }
  void check_ended(const Side& side, const Side& other) {
    if (side.received == other.sent || !problem_.empty()) return;
    const std::string who = side.is_server ? "the server" : "the client";
    problem_ = who + " saw the end after " + std::to_string(side.received) + " bytes of " +
               std::to_string(other.sent) + "; the other end is " +
               std::string(other.closed ? to_string(other.reason) : "not closed");
  }
  Random& random() { return run_.random(); }

  void turn() {
    server_->turn(random().one_in(3) ? Duration::zero() : Duration(1ms));
    if (client_ != server_) client_->turn(random().one_in(3) ? Duration::zero() : Duration(1ms));
    EXPECT_NOTE(problem_.empty(), problem_);
  }

  // --- what the ends do

  void act() {
    for (const std::uint64_t number : over_) talks_.erase(number);
    over_.clear();
    if (talks_.size() < 16 && random().one_in(8)) dial();
    if (talks_.empty()) return;
    auto chosen = talks_.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random().below(talks_.size())));
    Talk& talk = *chosen->second;
    Side* side = random().one_in(4) ? talk.server.get() : talk.client.get();
    if (side == nullptr || side->connection == nullptr) return;
    Connection& connection = *side->connection;
    switch (random().below(24)) {
      case 0:
        if (random().one_in(20)) connection.abort();
        break;
      case 1:
        if (random().one_in(4)) close(*side);
        break;
      case 2:
        if (!side->is_server || random().one_in(8)) connection.finish();
        break;
      case 3:
      case 4:
        connection.pause();
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        connection.resume();
        break;
      case 9:
        if (side->is_server) {
          connection.set_limits(random().one_in(2) ? tight_limits_ : server_limits_);
        }
        break;
      default:
        if (!side->is_server) write(*side);
        break;
    }
    check_bounds(*side);
  }

  void dial() {
    const std::uint64_t number = ++talks_made_;
    auto talk = std::make_unique<Talk>(number);
    ConnectOptions options;
    options.deadline = 1s;
    options.tls = client_tls_;
    Connection& connection =
        Connector(*client_, *this, client_limits_, options).connect(loopback(7000));
    talk->client = std::make_unique<Side>();
    talk->client->talk = talk.get();
    talk->client->connection = &connection;
    connection.user_data = talk->client.get();
    talks_.emplace(number, std::move(talk));
  }

  void write(Side& side) {
    const std::size_t bytes = 1 + random().below(random().one_in(6) ? 12'000 : 300);
    send(side, side.talk->pattern.text(side.sent, bytes));
  }

  template <class Bytes>
  void send(Side& side, const Bytes& bytes) {
    Connection& connection = *side.connection;
    if (connection.state() != Connection::State::open) return;
    connection.send(bytes);
    // Otherwise it was too much, and the connection ends with a reset.
    if (connection.state() == Connection::State::open) side.sent += bytes.size();
  }

  void close(Side& side) {
    side.connection->close();
    side.has_dropped_input = true;
  }

  void check_bounds(const Side& side) {
    if (side.connection == nullptr) return;
    const std::size_t queued = side.connection->queued_bytes();
    // A server's input stops at the watermark, and one receive brings no more than the window.
    // With TLS nothing of a record is delivered before all of it has come; and while the kernel has
    // taken a part of what was encrypted together, heads and tails of records are counted, too.
    const std::size_t record = server_tls_ == nullptr ? 0 : 16 * 1024 + 2048;
    const std::size_t window = std::max(Faults::rough().receive_window_bytes, record);
    const std::size_t most = side.is_server ? server_limits_.output_high_bytes + window
                                            : client_limits_.output_bytes_max;
    check(queued <= most, "more output is queued than the limits allow");
  }

  // --- what the ends hear

  static Side& side_of(const Connection& connection) {
    return *static_cast<Side*>(connection.user_data);
  }

  void opened(Connection& connection) override {
    const Depth depth(*this);
    if (connection.user_data == nullptr) accept(connection);
    Side& side = side_of(connection);
    check(!side.opened && !side.closed, "opened() is called once and first");
    side.opened = true;
    if (!side.is_server) write(side);
    if (random().one_in(50)) connection.pause();
    if (random().one_in(200)) connection.abort();
  }

  // The client's address says whose other end this is.
  void accept(Connection& connection) {
    Talk* of_it = nullptr;
    for (const auto& [number, talk] : talks_) {
      const Connection* client = talk->client->connection;
      const Endpoint peer = connection.peer();  // none when it never opened
      if (client != nullptr && peer.is_ip() && client->local() == peer) of_it = talk.get();
    }
    if (of_it == nullptr) {  // it is gone already
      orphans_.push_back(std::make_unique<Talk>(0));
      of_it = orphans_.back().get();
    }
    check(of_it->server == nullptr, "a connection is accepted twice");
    of_it->server = std::make_unique<Side>();
    of_it->server->talk = of_it;
    of_it->server->is_server = true;
    of_it->server->connection = &connection;
    connection.user_data = of_it->server.get();
  }

  void received(Connection& connection, std::span<const std::byte> bytes) override {
    const Depth depth(*this);
    Side& side = side_of(connection);
    check(side.opened && !side.ended && !side.closed, "received() comes between the other calls");
    check(!side.has_dropped_input, "received() after close()");
    check(!connection.paused(), "received() while paused");
    if (side.talk->client != nullptr) {
      check(side.talk->pattern.matches(side.received, bytes), "the bytes are not what was sent");
      const Side* other = side.is_server ? side.talk->client.get() : side.talk->server.get();
      check(other != nullptr && side.received + bytes.size() <= other->sent,
            "more is received than was sent");
    }
    side.received += bytes.size();
    if (side.is_server) answer(side, bytes);
    if (random().one_in(40)) connection.pause();
    check_bounds(side);
  }

  // All bytes in order, borrowed or copied, whole or in pieces.
  void answer(Side& side, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t step = random().one_in(2) ? bytes.size() : 1 + random().below(bytes.size());
      const auto piece = bytes.first(step);
      bytes = bytes.subspan(step);
      switch (random().below(6)) {
        case 0:
          send(side, std::string(text_of(piece)));
          break;
        case 1:
          send(side, SharedBuffer::copy_of(piece));
          break;
        default:
          send(side, piece);
          break;
      }
      if (random().one_in(3000)) side.connection->abort();
      if (random().one_in(2000)) close(side);
      if (random().one_in(2000)) side.connection->finish();
    }
  }

  void ended(Connection& connection) override {
    const Depth depth(*this);
    Side& side = side_of(connection);
    check(side.opened && !side.ended && !side.closed, "ended() is called once and in its place");
    side.ended = true;
    const Side* other = side.is_server ? side.talk->client.get() : side.talk->server.get();
    if (other != nullptr) check_ended(side, *other);
    if (!side.is_server && random().one_in(3)) write(side);  // we may still send
    if (random().one_in(10)) return close(side);
    connection.finish();
  }

  void drained(Connection& connection) override {
    const Depth depth(*this);
    const Side& side = side_of(connection);
    check(side.opened && !side.closed, "drained() comes between the other calls");
    check(connection.queued_bytes() <= connection.limits().output_low_bytes,
          "drained() above the low watermark");
  }

  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override {
    const Depth depth(*this);
    if (connection.user_data == nullptr) accept(connection);  // its handshake failed
    Side& side = side_of(connection);
    check(!side.closed, "closed() is called once");
    check(connection.queued_bytes() == 0, "output is left in closed()");
    side.closed = true;
    side.reason = reason;
    side.connection = nullptr;
    const bool from_kernel = reason == CloseReason::reset_by_peer ||
                             reason == CloseReason::connect_failed || reason == CloseReason::error;
    const bool from_tls = reason == CloseReason::tls_error || reason == CloseReason::truncated ||
                          reason == CloseReason::handshake_timeout;
    if (!from_tls) {
      check(static_cast<bool>(error) == from_kernel, "an error goes with the kernel's reasons");
    }
    if (reason == CloseReason::connect_failed) check(!side.opened, "opened, and failed to");
    if (reason == CloseReason::finished) {
      check(side.ended, "finished without the peer's end");
      ++finished_;
    }
    const Talk& talk = *side.talk;
    const bool all_closed = (talk.client == nullptr || talk.client->closed) &&
                            (talk.server == nullptr || talk.server->closed);
    if (all_closed) over_.push_back(talk.number);
  }

  struct Depth {
    explicit Depth(ConnectionSoak& of_soak) : soak(of_soak) {
      soak.check(++soak.depth_ == 1, "callbacks nest");
    }
    ~Depth() { --soak.depth_; }
    ConnectionSoak& soak;
  };

  // --- the end

  Counters total() const {
    Counters both = server_->counters();
    if (client_ != server_) both += client_->counters();
    return both;
  }

  void wind_up() {
    const auto alive = [this] { return total().open_connections; };
    for (int turns = 0; alive() > 0; ++turns) {
      EXPECT_NOTE(turns < 200'000, "not everything closes");
      for (auto& [number, talk] : talks_) {
        for (Side* side : {talk->client.get(), talk->server.get()}) {
          if (side == nullptr || side->connection == nullptr) continue;
          side->connection->resume();
          if (!side->is_server) side->connection->finish();
        }
      }
      turn();
    }
    for (int turns = 0; turns < 10; ++turns) turn();
  }

  void check_what_is_left() {
    const Counters all = total();
    EXPECT_EQUAL(all.accepted + talks_made_, all.closed_total());
    EXPECT(all.connected <= talks_made_);
    EXPECT(all.accepted <= talks_made_);
    EXPECT_EQUAL(network_.open_sockets(), 0U);
    EXPECT_EQUAL(network_.pending_operations(), 0U);
    EXPECT(server_->core().causes.empty() && client_->core().causes.empty());
    EXPECT(server_->core().attempts.empty() && client_->core().attempts.empty());
    for (const auto& [number, talk] : talks_) {
      EXPECT(talk->client->closed);
      EXPECT(talk->server == nullptr || talk->server->closed);
    }
  }

  Case& run_;
  std::size_t steps_;
  Network network_;
  Limits server_limits_;
  Limits client_limits_;
  Limits tight_limits_;
  std::map<std::uint64_t, std::unique_ptr<Talk>> talks_;  // by age, so that every run is the same
  std::vector<std::unique_ptr<Talk>> orphans_;
  std::vector<std::uint64_t> over_;  // both ends have closed
  std::shared_ptr<TlsContext> server_tls_;
  std::shared_ptr<TlsContext> client_tls_;
  Reactor* server_ = nullptr;
  Reactor* client_ = nullptr;
  std::string problem_;
  Counters counters_;
  std::uint64_t talks_made_ = 0;
  std::size_t finished_ = 0;
  int depth_ = 0;
};

}  // namespace

// A million steps, with both manners of kernel.
TEST_CASE("soak of connections") {
  for (const Style style : {Style::readiness, Style::completion}) {
    Counters all;
    const auto body = [&](Case& run) {
      ConnectionSoak soak(run, 10'000, style);
      (void)soak.play();
      all += soak.counters();
    };
    for (std::size_t round = 0; round < Case::scaled(50); ++round) {
      run_simulated("connection_soak", body, test_seed() + round);
    }
    // It has been everywhere, but where only a kernel or a server leads.
    for (std::size_t reason = 0; reason < close_reason_count; ++reason) {
      const auto which = static_cast<CloseReason>(reason);
      if (which == CloseReason::drain_timeout || which == CloseReason::error) continue;
      if (which == CloseReason::tls_error || which == CloseReason::truncated) continue;
      if (which == CloseReason::handshake_timeout) continue;
      CHECK_MESSAGE(all.closed[reason] > 0, to_string(which));
    }
    CHECK(all.receive_pauses > 0);
    CHECK(all.refused > 0);
  }
}

// The lengths of handshakes are random, so that a seed leads to the same plan, but not quite to the
// same run.
TEST_CASE("soak of connections over TLS") {
  if (tls_engine().empty()) return;
  for (const Style style : {Style::readiness, Style::completion}) {
    Counters all;
    const auto body = [&](Case& run) {
      ConnectionSoak soak(run, 10'000, style, true);
      (void)soak.play();
      all += soak.counters();
    };
    for (std::size_t round = 0; round < Case::scaled(6); ++round) {
      run_simulated("connection_soak_over_tls", body, test_seed() + round);
    }
    CHECK(all.handshakes > 100);
    CHECK(all.resumptions > 0);
    CHECK(all.receive_pauses > 0);
    for (const CloseReason reason : {CloseReason::finished, CloseReason::handshake_timeout}) {
      CHECK_MESSAGE(all.closed[static_cast<std::size_t>(reason)] > 0, to_string(reason));
    }
  }
}

SIMULATION_CASE(a_connection_soak_replays) {
  const auto transcript = [&] {
    Case again(run.name(), "simulated", run.seed());
    return ConnectionSoak(again, 2000, Style::any).play();
  };
  CHECK(transcript() == transcript());
}

}  // namespace tern::test
