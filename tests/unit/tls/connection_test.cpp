// What is TLS's own about a connection: handshakes, their limits, and four ways for it to end. That
// all else is as with plain ones, connection_*_test.cpp show when they are linked for TLS.
#include <vector>

#include "tests/support/stage.hpp"
#include "tests/support/tls.hpp"
#include "tests/unit/tls/raw.hpp"

using namespace tern;
using namespace tern::test;

using State = Connection::State;

namespace {

void echo(Connection& connection, std::span<const std::byte> bytes) { connection.send(bytes); }

// A client on a plain connection, with its TLS done by hand.
struct ByHand {
  explicit ByHand(Stage& on_stage, int version = TLS1_3_VERSION) : stage(on_stage), tls(version) {
    stage.connect_options.tls = nullptr;
    const std::size_t before = stage.server.seen.size();
    seen = &stage.connect();
    stage.until([&] { return seen->opened == 1; }, "a plain connection");
    stage.until(
        [&] {
          tls.handshake();
          exchange();
          return stage.server.seen.size() > before && SSL_is_init_finished(tls.ssl) == 1;
        },
        "a handshake by hand");
    server = &stage.server.seen[before];
  }

  void exchange() {
    tls.take(std::exchange(seen->received, {}));
    const std::string said = tls.ciphertext();
    if (seen->connection != nullptr) seen->connection->send(said);
  }
  // What the server says, until there are so many bytes of it.
  std::string receive(std::size_t bytes) {
    std::string text;
    stage.until(
        [&] {
          exchange();
          text += tls.read();
          return text.size() >= bytes;
        },
        "the server's answer");
    return text;
  }

  Stage& stage;
  RawTls tls;
  Seen* seen = nullptr;
  Seen* server = nullptr;
};

}  // namespace

CORE_CASE("tls connection: both ends know what was agreed on") {
  Stage stage;
  Pair pair = stage.pair();
  const auto client = pair.client.connection->tls();
  const auto server = pair.server.connection->tls();
  REQUIRE(client.has_value());
  REQUIRE(server.has_value());
  CHECK(client->version == "TLSv1.3");
  CHECK(client->cipher == server->cipher);
  CHECK(client->peer_subject == "CN=localhost");
  CHECK(stage.reactor.counters().handshakes == 2);
  CHECK(stage.reactor.counters().accepted == 1);

  stage.connect_options.tls = nullptr;
  Seen& plain = stage.connect();
  stage.until([&] { return plain.opened == 1; }, "a plain connection");
  CHECK_FALSE(plain.connection->tls().has_value());
}

CORE_CASE("tls connection: nothing is sent before it is open") {
  Stage stage;
  Seen& client = stage.connect();
  client.connection->send("too early");
  bool was_handshaking = false;
  stage.until(
      [&] {
        was_handshaking |= client.connection->state() == State::handshaking;
        if (client.opened == 1) return true;
        client.connection->send("too early");
        return false;
      },
      "the handshake");
  CHECK(was_handshaking);
  client.connection->send("in time");
  stage.until(
      [&] { return !stage.server.seen.empty() && stage.server.seen[0].received == "in time"; },
      "the first bytes");
}

CORE_CASE("tls connection: closed and aborted in the middle of the handshake") {
  for (const bool abort : {false, true}) {
    Stage stage;
    Seen& client = stage.connect();
    stage.until([&] { return client.connection->state() == State::handshaking; }, "a handshake");
    if (abort) {
      client.connection->abort();
    } else {
      client.connection->close();
    }
    stage.until([&] { return client.closed == 1 && stage.server.closed_count() == 1; },
                "both ends");
    CHECK(client.opened == 0);
    CHECK(client.reason == (abort ? CloseReason::aborted : CloseReason::closed_locally));
    CHECK(stage.server.seen[0].opened == 0);
  }
}

CORE_CASE("tls connection: whom the client does not believe") {
  Stage stage;
  stage.connect_options.tls_name = "elsewhere.example";
  Seen& client = stage.connect();
  stage.until([&] { return client.closed == 1 && stage.server.closed_count() == 1; }, "both ends");
  CHECK(client.opened == 0);
  CHECK(client.reason == CloseReason::tls_error);
  CHECK(client.error.message() == "hostname mismatch");
  CHECK(client.error.category() == tls_category());
  Seen& server = stage.server.seen[0];
  CHECK(server.reason == CloseReason::tls_error);
  CHECK(server.error.message().find("alert bad certificate") != std::string::npos);
  CHECK(stage.count(CloseReason::tls_error) == 2);
}

// --- four ends, and a neighbour on the same thread

CORE_CASE("tls connection: a clean end, a truncated one, a reset and a broken record") {
  Stage stage;
  stage.server.on_received = echo;
  Pair neighbour = stage.pair();
  std::uint64_t echoed = 0;
  const auto check_neighbour = [&] {
    neighbour.client.connection->send("ping");
    echoed += 4;
    stage.until([&] { return neighbour.client.received.size() == echoed; }, "the neighbour");
  };
  {
    ByHand peer(stage);
    peer.tls.write("bye");
    SSL_shutdown(peer.tls.ssl);
    peer.exchange();
    CHECK(peer.receive(3) == "bye");
    stage.until([&] { return peer.server->closed == 1; }, "a clean end");
    CHECK(peer.server->ended == 1);
    CHECK(peer.server->reason == CloseReason::finished);
    stage.until(
        [&] {
          peer.exchange();
          peer.tls.read();
          return (SSL_get_shutdown(peer.tls.ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
        },
        "to be told in return");
  }
  check_neighbour();
  {
    ByHand peer(stage);
    peer.tls.write("bye");
    peer.exchange();
    peer.seen->connection->finish();
    stage.until([&] { return peer.server->closed == 1; }, "a truncated end");
    CHECK(peer.server->received == "bye");
    CHECK(peer.server->ended == 0);
    CHECK(peer.server->reason == CloseReason::truncated);
    CHECK(peer.server->error.message() == "the stream ended without a closing alert");
  }
  check_neighbour();
  {
    ByHand peer(stage);
    peer.seen->connection->abort();
    stage.until([&] { return peer.server->closed == 1; }, "a reset");
    CHECK(peer.server->reason == CloseReason::reset_by_peer);
  }
  check_neighbour();
  {
    ByHand peer(stage);
    peer.seen->connection->send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
    stage.until([&] { return peer.server->closed == 1 && peer.seen->ended == 1; }, "an alert");
    CHECK(peer.server->reason == CloseReason::tls_error);
    peer.exchange();
    CHECK(peer.tls.read().empty());
    CHECK(ERR_GET_REASON(ERR_peek_error()) == SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
  }
  check_neighbour();
  for (const CloseReason reason : {CloseReason::finished, CloseReason::truncated,
                                   CloseReason::reset_by_peer, CloseReason::tls_error}) {
    CHECK(stage.count(reason) >= 1);
  }
}

CORE_CASE("tls connection: a plain client is told with an alert") {
  Stage stage;
  stage.connect_options.tls = nullptr;
  Seen& client = stage.connect();
  stage.until([&] { return client.opened == 1; }, "a plain connection");
  client.connection->send("GET / HTTP/1.1\r\n\r\n");
  stage.until([&] { return client.closed == 1 && stage.server.closed_count() == 1; }, "both ends");
  CHECK(stage.server.seen[0].reason == CloseReason::tls_error);
  CHECK(stage.server.seen[0].error.message() == "http request");
  CHECK(stage.server.seen[0].opened == 0);
}

CORE_CASE("tls connection: a client that only looks whether the port is open") {
  Stage stage;
  stage.connect_options.tls = nullptr;
  Seen& client = stage.connect();
  stage.until([&] { return client.opened == 1; }, "a plain connection");
  client.connection->finish();
  stage.until([&] { return stage.server.closed_count() == 1; }, "its end");
  CHECK(stage.server.seen[0].reason == CloseReason::truncated);
}

CORE_CASE("tls connection: a peer that writes and leaves without reading has been heard") {
  Stage stage;
  const std::string text = Pattern(9).text(0, 64 * 1024);
  ByHand peer(stage);
  // Tickets and an answer are under way to it.
  peer.server->connection->send("nobody reads this");
  for (std::size_t i = 0; i < text.size(); i += 16 * 1024)
    peer.tls.write(text.substr(i, 16 * 1024));
  SSL_shutdown(peer.tls.ssl);
  peer.exchange();
  peer.seen->connection->close();
  stage.until([&] { return peer.server->closed == 1; }, "its end");
  CHECK(peer.server->received == text);
}

// --- limits

CORE_CASE("tls connection: silent clients keep nobody out, and go at the deadline") {
  Limits limits;
  limits.handshake_timeout = 2s;
  Stage stage(limits);
  stage.server.on_received = echo;
  const auto speaks = stage.connect_options.tls;
  stage.connect_options.tls = nullptr;
  constexpr std::size_t silent = 200;
  std::vector<Seen*> clients;
  for (std::size_t i = 0; i < silent; ++i) clients.push_back(&stage.connect());
  stage.until([&] { return stage.reactor.counters().accepted == silent; }, "silent clients");
  stage.connect_options.tls = speaks;
  Pair pair = stage.pair();
  pair.client.connection->send("good");
  stage.until([&] { return pair.client.received == "good"; }, "the good client's echo");
  stage.until([&] { return stage.server.closed_count() == silent; }, "the deadline");
  CHECK(stage.count(CloseReason::handshake_timeout) == silent);
  CHECK(pair.client.closed == 0);
  pair.client.connection->send("more");
  stage.until([&] { return pair.client.received == "goodmore"; }, "the good client's echo");
}

CORE_CASE("tls connection: nobody hears of an end before a beginning") {
  Stage stage;
  stage.connect_options.tls = nullptr;
  Seen& client = stage.connect();
  stage.until([&] { return client.opened == 1; }, "a plain connection");
  RawTls tls;
  tls.handshake();
  client.connection->send(tls.ciphertext());
  stage.until([&] { return !client.received.empty(); }, "the server's side of the handshake");
  client.connection->send(std::string("\x15\x03\x03\x00\x02\x01\x00", 7));
  stage.until([&] { return stage.server.closed_count() == 1; }, "the end");
  const Seen& seen = stage.server.seen[0];
  CHECK(seen.opened == 0);
  CHECK(seen.ended == 0);
  CHECK(seen.closed == 1);
  CHECK(seen.reason == CloseReason::truncated);
}

CORE_CASE("tls connection: a client that dribbles has no more time than others") {
  Limits limits;
  limits.handshake_timeout = 300ms;
  Stage stage(limits);
  stage.connect_options.tls = nullptr;
  Seen& client = stage.connect();
  stage.until([&] { return client.opened == 1; }, "a plain connection");
  RawTls tls;
  tls.handshake();
  const std::string hello = tls.ciphertext();
  std::size_t sent = 0;
  Time next{};
  stage.until(
      [&] {
        const bool is_due = stage.reactor.now() >= next && sent + 1 < hello.size();
        if (is_due && client.connection != nullptr) {
          client.connection->send(hello.substr(sent++, 1));
          next = stage.reactor.now() + 10ms;
        }
        return stage.server.closed_count() == 1;
      },
      "the deadline");
  CHECK(stage.server.seen[0].reason == CloseReason::handshake_timeout);
  CHECK(stage.server.seen[0].error == std::errc::timed_out);
}

CORE_CASE("tls connection: above the limit of handshakes the oldest is given up") {
  Limits limits;
  limits.handshakes_max = 10;
  Stage stage(limits);
  const auto speaks = stage.connect_options.tls;
  stage.connect_options.tls = nullptr;
  for (int i = 0; i < 25; ++i) stage.connect();
  stage.until([&] { return stage.server.closed_count() == 15; }, "the oldest to go");
  stage.settle();
  CHECK(stage.server.closed_count() == 15);
  stage.connect_options.tls = speaks;
  stage.pair();
  CHECK(stage.server.closed_count() == 16);
  CHECK(stage.count(CloseReason::handshake_timeout) == 16);
}

CORE_CASE("tls connection: many handshakes take turns") {
  Stage stage;
  constexpr std::size_t count = 60;
  for (std::size_t i = 0; i < count; ++i) stage.connect();
  std::uint64_t most = 0;
  std::uint64_t before = 0;
  stage.until(
      [&] {
        const std::uint64_t now = stage.reactor.counters().handshakes;
        most = std::max(most, now - before);
        before = now;
        return now == 2 * count;
      },
      "all handshakes");
  CHECK(most <= 8);
  CHECK(stage.server.closed_count() == 0);
}

CORE_CASE("tls connection: a flood of key updates ends it") {
  Stage stage;
  ByHand peer(stage);
  for (int i = 0; i < 100; ++i) peer.tls.update_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
  peer.exchange();
  stage.until([&] { return peer.server->closed == 1; }, "its end");
  CHECK(peer.server->reason == CloseReason::tls_error);
  CHECK(peer.server->error.message() == "too many records without data");
}

CORE_CASE("tls connection: new keys while the output is full") {
  Limits limits;
  limits.output_high_bytes = 64 * 1024;
  limits.output_low_bytes = 16 * 1024;
  SocketOptions options;
  options.send_buffer_bytes = options.receive_buffer_bytes = 16 * 1024;
  Stage stage(limits, options);
  stage.client_limits.output_high_bytes = stage.client_limits.output_bytes_max;
  stage.server.on_received = echo;
  ByHand peer(stage);
  peer.seen->connection->pause();  // the echo piles up
  const std::string text = Pattern(4).text(0, 2'000'000);
  for (std::size_t i = 0; i < text.size(); i += 16'000) {
    peer.tls.write(text.substr(i, 16'000));
    peer.tls.update_keys(SSL_KEY_UPDATE_REQUESTED);
  }
  peer.exchange();
  stage.until([&] { return stage.reactor.counters().receive_pauses > 0; }, "a full output");
  stage.settle();
  CHECK(peer.server->connection->queued_bytes() <= limits.output_bytes_max);
  peer.seen->connection->resume();
  CHECK(peer.receive(text.size()) == text);
  CHECK(peer.server->closed == 0);
}

// Each asks for an answer of ours, and a byte now and then makes the flood a conversation.
CORE_CASE("tls connection: what a peer makes us say counts, and stops its input") {
  Limits limits;
  limits.output_high_bytes = 32 * 1024;
  limits.output_low_bytes = 8 * 1024;
  limits.output_bytes_max = 128 * 1024;
  SocketOptions options;
  options.send_buffer_bytes = options.receive_buffer_bytes = 16 * 1024;
  Stage stage(limits, options);
  stage.client_limits.output_high_bytes = stage.client_limits.output_bytes_max = 1'000'000;
  ByHand peer(stage);
  peer.seen->connection->pause();  // it never reads
  constexpr std::size_t rounds = 400;
  for (std::size_t i = 0; i < rounds; ++i) {
    for (int k = 0; k < 31; ++k) peer.tls.update_keys(SSL_KEY_UPDATE_REQUESTED);
    peer.tls.write("x");
  }
  peer.exchange();
  std::size_t most = 0;
  stage.until(
      [&] {
        most = std::max(most, peer.server->connection->queued_bytes());
        return stage.reactor.counters().receive_pauses > 0;
      },
      "a full output");
  stage.settle();
  most = std::max(most, peer.server->connection->queued_bytes());
  CHECK(most > limits.output_high_bytes);
  CHECK(most <= limits.output_bytes_max);
  CHECK(peer.seen->connection->queued_bytes() > 0);  // the server does not read on, either
  peer.seen->connection->resume();
  stage.until(
      [&] {
        peer.exchange();
        (void)peer.tls.read();
        return peer.server->received.size() == rounds;
      },
      "all that was said");
  CHECK(peer.server->closed == 0);
}

CORE_CASE("tls connection: renegotiation is refused") {
  Stage stage;
  stage.server.on_received = echo;
  ByHand peer(stage, TLS1_2_VERSION);
  REQUIRE(SSL_renegotiate(peer.tls.ssl) == 1);
  peer.tls.handshake();
  stage.until(
      [&] {
        peer.exchange();
        ERR_clear_error();
        peer.tls.handshake();
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION;
      },
      "a refusal");
  CHECK(stage.server.closed_count() == 0);
}

// --- resumption and new certificates

CORE_CASE("tls connection: the second connection resumes the first one's session") {
  Stage stage;
  stage.connect_options.tls = make_tls_client(test_client_options());
  for (int i = 0; i < 3; ++i) {
    Pair pair = stage.pair();
    pair.server.connection->send("hello");
    stage.until([&] { return pair.client.received == "hello"; }, "the ticket, and a greeting");
    pair.client.connection->close();
    stage.until_closed(pair);
  }
  CHECK(stage.reactor.counters().handshakes == 6);
  CHECK(stage.reactor.counters().resumptions == 4);
}

CORE_CASE("tls connection: certificates change under traffic") {
  Stage stage;
  const auto context = make_tls_server(test_server_options());
  ListenerOptions options;
  options.tls = context;
  stage.server.on_received = echo;
  stage.listener.emplace(stage.reactor, loopback(), stage.server, stage.limits, options);
  TlsClientOptions client_options = test_client_options();
  client_options.resume = false;
  stage.connect_options.tls = make_tls_client(client_options);
  std::vector<Pair> pairs;
  std::string last;
  for (int i = 0; i < 5; ++i) {
    pairs.push_back(stage.pair());
    const std::string now = pairs.back().client.connection->tls()->peer_fingerprint;
    CHECK(now != last);
    last = now;
    for (Pair& pair : pairs) pair.client.connection->send("still here");
    context->set_identities({test_leaf({"127.0.0.1"})});
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::size_t bytes = 10 * (pairs.size() - i);
    stage.until([&] { return pairs[i].client.received.size() == bytes; }, "every echo");
  }
  CHECK(stage.client.closed_count() == 0);
}
