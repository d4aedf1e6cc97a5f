// The TLS filter, talking to itself in memory.
#include <doctest/doctest.h>

#include "tests/support/case.hpp"
#include "tests/support/pattern.hpp"
#include "tests/unit/tls/pipe.hpp"
#include "tests/unit/tls/raw.hpp"

using namespace tern;
using namespace tern::test;

namespace {

TlsClientOptions client_of(TlsVersion version) {
  TlsClientOptions options = test_client_options();
  options.version_min = version;
  options.version_max = version;
  return options;
}

constexpr TlsVersion versions[] = {TlsVersion::tls1_2, TlsVersion::tls1_3};

}  // namespace

TEST_CASE("tls filter: hello in both directions, both versions") {
  for (const TlsVersion version : versions) {
    TlsPipe pipe(test_server_options(), client_of(version));
    pipe.open();
    pipe.client.write_all("hello server");
    pipe.server.write_all("hello client");
    carry(pipe.client, pipe.server);
    carry(pipe.server, pipe.client);
    CHECK(pipe.server.read() == Result::want_input);
    CHECK(pipe.client.read() == Result::want_input);
    CHECK(pipe.server.received == "hello server");
    CHECK(pipe.client.received == "hello client");
    const TlsInfo info = pipe.client.filter->info();
    CHECK(info.version == (version == TlsVersion::tls1_2 ? "TLSv1.2" : "TLSv1.3"));
    CHECK(info.server_name == "localhost");
    CHECK(info.peer_subject == "CN=localhost");
    CHECK_FALSE(info.resumed);
    CHECK(pipe.server.filter->info().server_name == "localhost");
  }
}

TEST_CASE("tls filter: a byte at a time in, and room for a byte at a time out") {
  for (const TlsVersion version : versions) {
    TlsPipe pipe(test_server_options(), client_of(version));
    pipe.client.output_bytes_max = pipe.server.output_bytes_max = 1;
    Result client = Result::want_input;
    Result server = Result::want_input;
    bool wanted_output = false;
    const auto waits = [](Result result) {
      return result == Result::want_input || result == Result::want_output;
    };
    for (int step = 0; step < 100'000 && (waits(client) || waits(server)); ++step) {
      if (waits(client)) client = pipe.client.handshake(1);
      wanted_output |= client == Result::want_output;
      carry(pipe.client, pipe.server);
      if (waits(server)) server = pipe.server.handshake(1);
      wanted_output |= server == Result::want_output;
      carry(pipe.server, pipe.client);
    }
    REQUIRE(client == Result::done);
    REQUIRE(server == Result::done);
    CHECK(wanted_output);

    // The same words offered again each time, from another place and with more behind them.
    std::string text = "moving";
    std::size_t count = 0;
    std::string expected = text;
    for (int step = 0; step < 10'000 && !text.empty(); ++step) {
      auto moved = std::make_unique<std::string>(text);
      const Result result = pipe.client.write(*moved, count);
      text.erase(0, count);
      carry(pipe.client, pipe.server);
      pipe.server.read(7, 1);
      if (result == Result::want_output && expected.size() < 60) {
        text += "+more";
        expected += "+more";
      }
    }
    while (!pipe.server.inbox.empty() || pipe.server.filter->has_input()) pipe.server.read(7, 1);
    CHECK(text.empty());
    CHECK(pipe.server.received == expected);
  }
}

TEST_CASE("tls filter: a long stream in random pieces") {
  Random random(test_seed());
  TlsPipe pipe;
  pipe.open();
  const std::string sent = Pattern(5).text(0, 1'000'000);
  std::size_t written = 0;
  while (pipe.server.received.size() < sent.size()) {
    pipe.client.output_bytes_max = random.one_in(3) ? random.below(30'000) : SIZE_MAX;
    std::size_t count = 0;
    pipe.client.write(std::string_view(sent).substr(written), count);
    written += count;
    carry(pipe.client, pipe.server);
    const Result result = pipe.server.read(1 + random.below(40'000), 1 + random.below(20'000));
    const bool goes_on = result == Result::want_input || result == Result::done;
    REQUIRE(goes_on);
  }
  CHECK(pipe.server.received == sent);
}

TEST_CASE("tls filter: several records in one piece are read to the last") {
  TlsPipe pipe;
  pipe.open();
  std::string expected;
  for (int i = 0; i < 3; ++i) {
    const std::string text(1000, static_cast<char>('a' + i));
    pipe.client.write_all(text);
    expected += text;
  }
  carry(pipe.client, pipe.server);
  // A reader with little room pauses in the middle of a record: the rest is not forgotten.
  CHECK(pipe.server.read(100) == Result::done);
  CHECK(pipe.server.filter->has_input());
  for (int i = 0; i < 50; ++i) pipe.server.read(100);
  CHECK(pipe.server.received == expected);
  CHECK_FALSE(pipe.server.filter->has_input());
}

TEST_CASE("tls filter: one record carries at most 16 KiB, and little more than it carries") {
  TlsPipe pipe;
  pipe.open();
  pipe.client.outbox.clear();
  pipe.client.write_all(std::string(64 * 1024, 'x'));
  CHECK(pipe.client.outbox.size() > 64 * 1024);
  CHECK(pipe.client.outbox.size() < 64 * 1024 + 4 * 64);
}

TEST_CASE("tls filter: the three ends of a stream") {
  for (const TlsVersion version : versions) {
    {
      TlsPipe pipe(test_server_options(), client_of(version));
      pipe.open();
      pipe.client.write_all("last words");
      CHECK(pipe.client.end() == Result::done);
      carry(pipe.client, pipe.server);
      pipe.server.ended = true;
      CHECK(pipe.server.read() == Result::ended);
      CHECK(pipe.server.received == "last words");
      // Half-close: the other direction goes on.
      pipe.server.write_all("an answer");
      carry(pipe.server, pipe.client);
      CHECK(pipe.client.read() == Result::want_input);
      CHECK(pipe.client.received == "an answer");
    }
    {
      TlsPipe pipe(test_server_options(), client_of(version));
      pipe.open();
      pipe.client.write_all("last words");
      carry(pipe.client, pipe.server);
      pipe.server.ended = true;
      CHECK(pipe.server.read() == Result::truncated);
      CHECK(pipe.server.received == "last words");
      CHECK(pipe.server.filter->error().category() == tls_category());
    }
    {
      TlsPipe pipe(test_server_options(), client_of(version));
      pipe.open();
      pipe.client.write_all("first");
      carry(pipe.client, pipe.server);
      pipe.client.write_all("second");
      pipe.client.outbox.back() ^= std::byte{1};
      carry(pipe.client, pipe.server);
      CHECK(pipe.server.read() == Result::failed);
      CHECK(pipe.server.received == "first");
      CHECK_FALSE(pipe.server.outbox.empty());  // the alert
      carry(pipe.server, pipe.client);
      CHECK(pipe.client.read() == Result::failed);
      CHECK(pipe.server.read() == Result::failed);  // for good
    }
  }
}

TEST_CASE("tls filter: an end in the middle of the handshake") {
  TlsPipe pipe;
  pipe.client.handshake();
  carry(pipe.client, pipe.server);
  pipe.server.ended = true;
  CHECK(pipe.server.handshake(100) == Result::want_input);
  pipe.server.inbox.resize(20);
  CHECK(pipe.server.handshake() == Result::truncated);
}

TEST_CASE("tls filter: a closing alert in the middle of the handshake") {
  for (const TlsVersion version : {TlsVersion::tls1_2, TlsVersion::tls1_3}) {
    TlsClientOptions options = test_client_options();
    options.version_min = options.version_max = version;
    TlsPipe pipe(test_server_options(), options);
    pipe.client.handshake();
    carry(pipe.client, pipe.server);
    CHECK(pipe.server.handshake() == Result::want_input);
    const auto alert = bytes_of(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7));
    pipe.server.inbox.assign(alert.begin(), alert.end());
    pipe.client.inbox.assign(alert.begin(), alert.end());
    for (TlsSide* side : {&pipe.server, &pipe.client}) {
      CHECK(side->handshake() == Result::truncated);
      CHECK(side->filter->error().message() == "the peer ended the handshake");
    }
  }
}

TEST_CASE("tls filter: whoever speaks something else") {
  TlsPipe pipe;
  const auto request = bytes_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  pipe.server.inbox.assign(request.begin(), request.end());
  CHECK(pipe.server.handshake() == Result::failed);
  CHECK(pipe.server.filter->error().message() == "http request");
  // An error of one is not one of the others on the same thread.
  TlsPipe neighbour;
  neighbour.open();
}

// --- floods

namespace {

void exchange(RawTls& client, TlsSide& server) {
  client.take({reinterpret_cast<const char*>(server.outbox.data()), server.outbox.size()});
  server.outbox.clear();
  const std::string said = client.ciphertext();
  const auto bytes = bytes_of(said);
  server.inbox.insert(server.inbox.end(), bytes.begin(), bytes.end());
}

void open(RawTls& client, TlsSide& server) {
  Result result = Result::want_input;
  for (int i = 0; i < 10; ++i) {
    client.handshake();
    exchange(client, server);
    if (result == Result::want_input) result = server.handshake();
    exchange(client, server);
  }
  REQUIRE(result == Result::done);
  REQUIRE(SSL_is_init_finished(client.ssl) == 1);
}

}  // namespace

TEST_CASE("tls filter: key updates now and then are fine, a flood of them is cut off") {
  const auto context = make_tls_server(test_server_options());
  TlsSide server(*context);
  RawTls client(TLS1_3_VERSION);
  open(client, server);
  for (int i = 0; i < 200; ++i) {
    SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
    client.write("x");
    exchange(client, server);
    REQUIRE(server.read() == Result::want_input);
  }
  CHECK(server.received.size() == 200);
  Result result = Result::want_input;
  int updates = 0;
  for (; result == Result::want_input && updates < 1000; ++updates) {
    client.update_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
    exchange(client, server);
    result = server.read();
  }
  CHECK(result == Result::failed);
  CHECK(updates < 40);
  CHECK(server.filter->error().message() == "too many records without data");
}

TEST_CASE("tls filter: a flood of key updates in one piece is cut off in its middle") {
  const auto context = make_tls_server(test_server_options());
  TlsSide server(*context);
  RawTls client(TLS1_3_VERSION);
  open(client, server);
  for (int i = 0; i < 1000; ++i) {
    client.update_keys(SSL_KEY_UPDATE_REQUESTED);
  }
  exchange(client, server);
  const std::size_t before = server.inbox.size();
  CHECK(server.read() == Result::failed);
  CHECK(server.inbox.size() > before / 2);
  CHECK(server.outbox.size() < 5000);
}

TEST_CASE("tls filter: a flood of empty records is cut off") {
  const auto context = make_tls_server(test_server_options());
  TlsSide server(*context);
  RawTls client(TLS1_2_VERSION);
  open(client, server);
  Result result = Result::want_input;
  int records = 0;
  for (; result == Result::want_input && records < 1000; ++records) {
    SSL_write(client.ssl, "", 0);
    exchange(client, server);
    if (server.inbox.empty()) break;  // this OpenSSL sends none
    result = server.read();
  }
  if (records == 0) return;
  CHECK(result == Result::failed);
  CHECK(records < 40);
}

TEST_CASE("tls filter: nobody renegotiates") {
  const auto context = make_tls_server(test_server_options());
  TlsSide server(*context);
  RawTls client(TLS1_2_VERSION);
  open(client, server);
  REQUIRE(SSL_renegotiate(client.ssl) == 1);
  SSL_do_handshake(client.ssl);
  exchange(client, server);
  REQUIRE_FALSE(server.inbox.empty());
  // Refused by a warning: the connection lives on unless the client insists.
  CHECK(server.read() == Result::want_input);
  exchange(client, server);
  SSL_do_handshake(client.ssl);
  CHECK(ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION);
  // What the client has left behind is no error of ours.
  TlsPipe neighbour;
  neighbour.open();
}

TEST_CASE("tls filter: garbage at any place ends in a clean failure") {
  Random random(test_seed());
  for (int round = 0; round < 200; ++round) {
    TlsPipe pipe;
    const bool open_first = random.one_in(2);
    if (open_first) {
      pipe.open();
      pipe.client.write_all("before the garbage");
    } else {
      pipe.client.handshake();
    }
    std::vector<std::byte>& stream = pipe.client.outbox;
    for (std::size_t i = random.below(6); i-- > 0;) {
      stream[random.below(stream.size())] = static_cast<std::byte>(random.below(256));
    }
    carry(pipe.client, pipe.server);
    pipe.server.ended = true;
    for (int i = 0; i < 5; ++i) {
      const Result result = open_first ? pipe.server.read() : pipe.server.handshake();
      if (result == Result::failed || result == Result::truncated) break;
      CHECK(result != Result::want_output);
    }
    CHECK(pipe.server.outbox.size() < 20'000);
  }
}
