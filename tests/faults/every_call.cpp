// The sweep: one conversation with everything in it, run again and again with one call of it
// failing, each call in its turn, each with the errors that it can have.
//
// What becomes of the conversation is open; it may also fail. What must not happen: a crash, an
// exception, a completion that breaks the contract (Loop looks at each), a lost descriptor, a spin.
#include <string>

#include "tests/faults/fault_case.hpp"

namespace tern::faults {
namespace {

struct Errors {
  Call call;
  std::vector<int> errno_values;
};

// EAGAIN only where it is no promise of an event; see call_sites.cpp.
const std::vector<Errors>& errors_of_calls() {
  static const std::vector<Errors> errors = {
      {Call::accept4, {EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO}},
      {Call::bind, {EADDRINUSE, EACCES, ENOMEM}},
      {Call::close, {EINTR, EIO}},
      {Call::connect, {EINTR, ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH, ETIMEDOUT}},
      {Call::epoll_ctl, {ENOMEM, ENOSPC}},
      {Call::epoll_pwait2, {EINTR, ENOSYS}},
      {Call::getsockopt, {ENOBUFS}},
      {Call::listen, {EADDRINUSE}},
      {Call::receive, {EINTR, ENOBUFS, ENOMEM, ECONNRESET, ETIMEDOUT}},
      {Call::recvmmsg, {EINTR, ENOBUFS, ENOMEM, ECONNREFUSED}},
      {Call::send, {EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET}},
      {Call::sendmmsg, {EAGAIN, EINTR, ENOBUFS, ENOMEM, EMSGSIZE, ECONNREFUSED}},
      {Call::sendmsg, {EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET}},
      {Call::setsockopt, {ENOBUFS, ENOPROTOOPT}},
      {Call::shutdown, {ENOTCONN}},
      {Call::socket, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
  };
  return errors;
}

// A conversation that puts up with whatever happens: each part is left out when what it needs has
// failed. Bounded by turns, because what it waits for may never come.
class Conversation {
 public:
  void run() {
    stream();
    datagrams();
    loop_.poller().wake();
    pump(3);
    const PollerCounters& counters = loop_.counters();
    EXPECT_NOTE(counters.waits < 1000, "waits: " + std::to_string(counters.waits));
  }

 private:
  // A turn costs at most 1 ms when nothing comes; what has come is all there in a few.
  void pump(int turns) {
    for (; turns > 0; --turns) loop_.turn(1ms);
  }

  End* attach(Socket socket) {
    std::error_code error;
    return loop_.try_attach(socket, error);
  }

  End* attach(Socket socket, const std::error_code& why_not) {
    EXPECT_EQUAL(socket.valid(), !why_not);
    return socket.valid() ? attach(socket) : nullptr;
  }

  void stream() {
    std::error_code error;
    Socket socket = sockets().listen(loopback(), {}, error);
    End* listener = attach(socket, error);
    if (listener == nullptr) return;
    loop_.accept(*listener);
    error.clear();
    socket = sockets().stream(Family::ipv4, {}, {}, error);
    End* client = attach(socket, error);
    if (client == nullptr) return;
    loop_.connect(*client, loop_.local(*listener));
    pump(6);
    if (listener->accepted.empty() || !client->connected) return;
    socket = listener->accepted.front();
    listener->accepted.pop_front();
    End* server = attach(socket);
    if (server == nullptr) return;
    talk(*client, *server);
    loop_.close(*client);
    pump(3);
    loop_.close(*server);
    loop_.close(*listener);
    pump(3);
    EXPECT_NOTE(client->closed && server->closed && listener->closed, "a close was lost");
  }

  void talk(End& client, End& server) {
    loop_.receive(client);
    loop_.receive(server);
    loop_.write(client, "question");
    pump(4);
    const std::array<Slice, 2> answer = {bytes_of("ans"), bytes_of("wer")};
    if (!server.sending && !server.failed()) loop_.offer(server, answer);
    pump(4);
    if (!client.sending && !client.send_error) loop_.shutdown_send(client);
    pump(4);
    if (client.failed() || server.failed()) return;
    EXPECT_EQUAL(server.received, "question");
  }

  void datagrams() {
    std::error_code error;
    Socket socket = sockets().datagram(loopback(), {}, {}, error);
    End* server = attach(socket, error);
    if (server == nullptr) return;
    loop_.receive(*server);
    error.clear();
    socket = sockets().datagram(loopback(), loop_.local(*server), {}, error);
    End* client = attach(socket, error);
    if (client == nullptr) return;
    loop_.receive(*client);
    const std::array<Datagram, 2> datagrams = {Datagram{bytes_of("one"), {}, false},
                                               Datagram{bytes_of("two"), {}, false}};
    loop_.offer_to(*client, datagrams);
    pump(5);
    EXPECT_NOTE(!client->sending, "room for datagrams was never told");
    loop_.close(*client);
    loop_.close(*server);
    pump(3);
    EXPECT(client->closed && server->closed);
  }

  Loop loop_;
};

}  // namespace

FAULT_CASE(every_call_fails_once) {
  const std::size_t before = open_descriptors();
  count_from_zero();
  Conversation().run();
  std::array<std::size_t, call_count> calls{};
  for (std::size_t index = 0; index < call_count; ++index) {
    calls[index] = calls_of(static_cast<Call>(index));
  }
  for (const auto& [call, errno_values] : errors_of_calls()) {
    const std::size_t count = calls[static_cast<std::size_t>(call)];
    EXPECT_NOTE(count > 0, std::string(name_of(call)) + " does not occur: the sweep misses it");
    for (const int errno_value : errno_values) {
      for (std::size_t first = 1; first <= count; ++first) {
        const std::string what = std::string(name_of(call)) + " " + std::to_string(first) + " of " +
                                 std::to_string(count) + ": " + system_error(errno_value).message();
        try {
          const Fault fault(call, errno_value, first);
          Conversation().run();
        } catch (const Failure& failure) {
          throw Failure{what + ": " + failure.message};
        } catch (const std::system_error& error) {
          // Only the making of the poller may throw: its first watch is that of the wake.
          EXPECT_NOTE(call == Call::epoll_ctl && first == 1, what + " threw: " + error.what());
        }
        EXPECT_NOTE(open_descriptors() == before, what + ": a descriptor is lost");
      }
    }
  }
}

}  // namespace tern::faults
