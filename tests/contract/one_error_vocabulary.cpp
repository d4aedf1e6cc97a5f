// Rule 10: the same peers give the same std::errc on every backend.
#include "tests/contract/support/contract_case.hpp"
#include "tests/support/temporary_path.hpp"

namespace tern::test {
namespace {

// An address where nobody listens, and nobody can begin to: the socket that holds it is bound.
class RefusingAddress {
 public:
  RefusingAddress() : socket_(Loop::streaming(Family::ipv4, {}, loopback())) {}
  ~RefusingAddress() { sockets().close(socket_); }
  RefusingAddress(const RefusingAddress&) = delete;
  RefusingAddress& operator=(const RefusingAddress&) = delete;
  Endpoint endpoint() const { return sockets().local(socket_); }

 private:
  Socket socket_;
};

std::error_code connect_error(Loop& loop, const Endpoint& remote) {
  End& client = loop.dial(remote);
  loop.until([&] { return !client.connecting; }, "the connect completion");
  const std::error_code error = client.connect_error;
  loop.close_and_forget(client);
  return error;
}

void expect_error(const std::error_code& error, std::errc expected, const char* what) {
  EXPECT_NOTE(is_portable(error), std::string(what) + ": " + error.message());
  EXPECT_NOTE(error == expected, std::string(what) + ": " + error.message());
}

}  // namespace

RULE_CASE(one_error_vocabulary, one_error_vocabulary) {
  Loop loop;
  {
    const RefusingAddress refusing;
    expect_error(connect_error(loop, refusing.endpoint()), std::errc::connection_refused,
                 "connect to a bound socket that does not listen");
  }
  {
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.reset(client);
    loop.until([&server = server] { return server.finished(); }, "the reset");
    expect_error(server.receive_error, std::errc::connection_reset, "receive from a reset peer");
  }
  {
    auto [client, server] = loop.pair();
    loop.receive(server);
    loop.shutdown_send(client);
    loop.until([&server = server] { return server.ended; }, "the end");
    loop.reset(client);
    loop.settle();
    EXPECT_NOTE(!server.receive_error, "a reset after the end is no news");
    loop.offer(server, "x");
    loop.until(
        [&, &server = server] {
          if (!server.sending && !server.send_error) loop.offer(server, "x");
          return static_cast<bool>(server.send_error);
        },
        "the send's error");
    EXPECT(server.send_error == std::errc::connection_reset ||
           server.send_error == std::errc::broken_pipe);
  }
}

// Sending after our own half-close is the caller's fault; closing twice, too. What the system
// refuses when a socket is set up:
RULE_CASE(one_error_vocabulary, errors_of_set_up) {
  std::error_code error;
  const Socket listener = Loop::listening(loopback());
  EXPECT(!sockets().listen(sockets().local(listener), {}, error).valid());
  expect_error(error, std::errc::address_in_use, "listen on a port in use");

  // 192.0.2.1 (TEST-NET-1) is an address of nobody, so not one of ours.
  error.clear();
  EXPECT(!sockets().listen(Endpoint::ipv4({192, 0, 2, 1}, 0), {}, error).valid());
  expect_error(error, std::errc::address_not_available, "listen on a foreign address");
  error.clear();
  EXPECT(!sockets().stream(Family::ipv4, Endpoint::ipv4({192, 0, 2, 1}, 0), {}, error).valid());
  expect_error(error, std::errc::address_not_available, "a foreign source address");

  error.clear();
  const Socket datagram = sockets().datagram(loopback(), {}, {}, error);
  EXPECT(!error);
  EXPECT(!sockets().datagram(sockets().local(datagram), {}, {}, error).valid());
  expect_error(error, std::errc::address_in_use, "a datagram port in use");
  sockets().close(datagram);
  sockets().close(listener);
}

CONTRACT_CASE(a_datagram_socket_on_a_foreign_address) {
  std::error_code error;
  EXPECT(!sockets().datagram(Endpoint::ipv4({192, 0, 2, 1}, 0), {}, {}, error).valid());
  expect_error(error, std::errc::address_not_available, "a datagram socket on a foreign address");
}

CONTRACT_CASE(errors_of_unix_paths) {
  Loop loop;
  const TemporaryPath path;
  const Endpoint endpoint = *Endpoint::local(path.string());
  expect_error(connect_error(loop, endpoint), std::errc::no_such_file_or_directory,
               "connect to a path that is not there");
  std::error_code error;
  EXPECT(!sockets().listen(*Endpoint::local(path.string() + "/no/such"), {}, error).valid());
  expect_error(error, std::errc::no_such_file_or_directory, "listen in a folder that is not there");

  // A live listener keeps its path; the file of a dead one is replaced.
  const Socket live = Loop::listening(endpoint);
  error.clear();
  EXPECT(!sockets().listen(endpoint, {}, error).valid());
  expect_error(error, std::errc::address_in_use, "listen on a path that is served");
  sockets().close(live);
  expect_error(connect_error(loop, endpoint), std::errc::connection_refused,
               "connect to a path that is not served any more");
  End& listener = loop.listen(endpoint);
  loop.pair_through(listener);
}

// A stream that has failed says so once, and is quiet until it is closed.
RULE_CASE(one_error_vocabulary, an_error_is_told_once) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.reset(client);
  loop.until([&server = server] { return server.finished(); }, "the reset");
  const std::size_t turns = loop.turns_during(30ms);
  EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
  EXPECT_EQUAL(server.completions, 1U);
}

}  // namespace tern::test
