// Each call site by itself: a failure arrives as the contract says, or is none of the caller's
// business and is made good.
//
// EAGAIN is left out where only the kernel can say it: it promises an event to come, and a made-up
// one would be a promise that nobody keeps.
#include "tests/faults/fault_case.hpp"
#include "tests/support/socket_options.hpp"

namespace tern::faults {
namespace {

// Errors that say nothing about the socket: the call is repeated, and the caller hears nothing.
constexpr std::array passing_errors = {EINTR, ENOBUFS, ENOMEM};

}  // namespace

// --- accept

// Lack of room is told, and the order stands: with the next connection, at the latest, the one that
// waited is let in. Whoever backs off and orders again does not have to wait for that.
FAULT_CASE(accept_without_room) {
  for (const int errno_value : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    for (const bool backs_off : {false, true}) {
      Loop loop;
      End& listener = loop.listen();
      const Fault fault(Call::accept4, errno_value);
      loop.dial(loop.local(listener));
      loop.until([&] { return !listener.accept_errors.empty(); }, "the error");
      EXPECT(listener.accept_errors[0] == system_error(errno_value));
      if (backs_off) {
        loop.stop(listener, Operation::accept);
        loop.accept(listener);
      } else {
        loop.dial(loop.local(listener));
      }
      const std::size_t count = backs_off ? 1 : 2;
      loop.until([&] { return listener.accepted.size() == count; }, "who waited");
      EXPECT_EQUAL(listener.accept_errors.size(), 1U);
    }
  }
}

// A connection that was lost while it waited: told or passed over, and the next one comes.
FAULT_CASE(accept_of_a_lost_connection) {
  for (const int errno_value : {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EPERM}) {
    Loop loop;
    End& listener = loop.listen();
    const Fault fault(Call::accept4, errno_value);
    loop.dial(loop.local(listener));
    loop.dial(loop.local(listener));
    loop.until([&] { return listener.accepted.size() == 2; }, "both connections");
    EXPECT_EQUAL(Fault::failures(), 1U);
    EXPECT(listener.accept_errors.size() <= 1);
  }
}

FAULT_CASE(accept_interrupted) {
  Loop loop;
  End& listener = loop.listen();
  const Fault fault(Call::accept4, EINTR, 1, 3);
  loop.dial(loop.local(listener));
  loop.until([&] { return listener.accepted.size() == 1; }, "the connection");
  EXPECT(listener.accept_errors.empty());
}

// For as long as there is no room: at most one error a turn, and quiet for whoever backs off.
FAULT_CASE(accept_without_room_for_long) {
  Loop loop;
  End& listener = loop.listen();
  loop.dial(loop.local(listener));
  {
    const Fault fault(Call::accept4, EMFILE, 1, Fault::always);
    for (int turn = 0; turn < 100; ++turn) {
      const std::size_t before = listener.accept_errors.size();
      loop.turn(1ms);
      EXPECT(listener.accept_errors.size() <= before + 1);
    }
    EXPECT(!listener.accept_errors.empty());
    loop.stop(listener, Operation::accept);
    const std::size_t failures = Fault::failures();
    const std::size_t turns = loop.turns_during(30ms);
    EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
    EXPECT_EQUAL(Fault::failures(), failures);
  }
  loop.accept(listener);
  loop.until([&] { return listener.accepted.size() == 1; }, "the connection");
}

// --- receive

FAULT_CASE(receive_with_passing_errors) {
  for (const int errno_value : passing_errors) {
    Loop loop;
    auto [client, server] = loop.pair();
    loop.receive(server);
    const Fault fault(Call::receive, errno_value, 1, 3);
    loop.write(client, "bytes");
    loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
    EXPECT_EQUAL(Fault::failures(), 3U);
    EXPECT_EQUAL(server.completions, 1U);
  }
}

// While there is no memory for long, the loop does not spin on it.
FAULT_CASE(receive_without_memory_for_long) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  {
    const Fault fault(Call::receive, ENOMEM, 1, Fault::always);
    loop.write(client, "bytes");
    const std::size_t turns = loop.turns_during(100ms);
    EXPECT_NOTE(turns <= 500, "turns: " + std::to_string(turns));
  }
  loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
}

// An error of the stream is told once, as what it is, and is the last of its receives.
FAULT_CASE(receive_fails) {
  for (const int errno_value : {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN}) {
    Loop loop;
    auto [client, server] = loop.pair();
    loop.receive(server);
    const Fault fault(Call::receive, errno_value);
    loop.write(client, "bytes");
    loop.until([&server = server] { return server.finished(); }, "the error");
    EXPECT(server.receive_error == system_error(errno_value));
    const std::size_t turns = loop.turns_during(10ms);
    EXPECT_NOTE(turns <= calm_turns_max, "turns: " + std::to_string(turns));
    EXPECT_EQUAL(server.completions, 1U);
  }
}

// --- send, of one slice and of several

FAULT_CASE(send_with_passing_errors) {
  for (const Call call : {Call::send, Call::sendmsg}) {
    for (const int errno_value : passing_errors) {
      Loop loop;
      auto [client, server] = loop.pair();
      loop.receive(server);
      const std::array<Slice, 2> two = {bytes_of("by"), bytes_of("tes")};
      const std::array<Slice, 1> one = {bytes_of("bytes")};
      const std::span<const Slice> slices =
          call == Call::send ? std::span<const Slice>(one) : std::span<const Slice>(two);
      const Fault fault(call, errno_value, 1, 3);
      loop.until(
          [&, &client = client, &server = server] {
            if (!client.sending && server.received.empty()) loop.offer(client, slices);
            return server.received == "bytes";
          },
          "the bytes");
      EXPECT_EQUAL(Fault::failures(), 3U);
      EXPECT_EQUAL(client.sends, 3U);
    }
  }
}

FAULT_CASE(send_without_memory_for_long) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  {
    const Fault fault(Call::send, ENOBUFS, 1, Fault::always);
    loop.write(client, "bytes");
    const std::size_t turns = loop.turns_during(100ms);
    EXPECT_NOTE(turns <= 500, "turns: " + std::to_string(turns));
  }
  loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
}

FAULT_CASE(send_fails) {
  for (const Call call : {Call::send, Call::sendmsg}) {
    for (const int errno_value : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH}) {
      Loop loop;
      auto [client, server] = loop.pair();
      const std::array<Slice, 2> two = {bytes_of("by"), bytes_of("tes")};
      const Fault fault(call, errno_value);
      EXPECT_EQUAL(loop.offer(client, std::span(two).first(call == Call::send ? 1 : 2)), 0U);
      EXPECT(client.sending);
      loop.until([&client = client] { return static_cast<bool>(client.send_error); }, "the error");
      EXPECT(client.send_error == system_error(errno_value));
      loop.settle();
      EXPECT_EQUAL(client.sends, 1U);
    }
  }
}

// --- datagrams

FAULT_CASE(receive_datagrams_with_passing_errors) {
  for (const int errno_value : passing_errors) {
    Loop loop;
    End& server = loop.datagram();
    End& client = loop.datagram(loopback(), loop.local(server));
    loop.receive(server);
    const Fault fault(Call::recvmmsg, errno_value, 1, 3);
    const std::array<Datagram, 1> datagrams = {Datagram{bytes_of("one"), {}, false}};
    loop.send_datagrams(client, datagrams);
    loop.until([&] { return server.datagrams.size() == 1; }, "the datagram");
    EXPECT(server.datagram_errors.empty());
  }
}

// An error of a datagram socket is told and does not end it.
FAULT_CASE(receive_datagrams_fails) {
  for (const int errno_value : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH}) {
    Loop loop;
    End& server = loop.datagram();
    End& client = loop.datagram(loopback(), loop.local(server));
    loop.receive(server);
    const Fault fault(Call::recvmmsg, errno_value);
    const std::array<Datagram, 1> datagrams = {Datagram{bytes_of("one"), {}, false}};
    loop.send_datagrams(client, datagrams);
    loop.until([&] { return server.datagrams.size() == 1; }, "the datagram");
    EXPECT_EQUAL(server.datagram_errors.size(), 1U);
    EXPECT(server.datagram_errors[0] == system_error(errno_value));
  }
}

// No room for a datagram: a send completion follows when there may be, and nothing is lost. EAGAIN
// is no lie here: the backend asks the kernel for its present state.
FAULT_CASE(send_datagrams_without_room) {
  for (const int errno_value : {EAGAIN, EINTR, ENOBUFS, ENOMEM}) {
    Loop loop;
    End& server = loop.datagram();
    End& client = loop.datagram(loopback(), loop.local(server));
    loop.receive(server);
    const Fault fault(Call::sendmmsg, errno_value, 1, 3);
    const std::array<Datagram, 3> datagrams = {Datagram{bytes_of("one"), {}, false},
                                               Datagram{bytes_of("two"), {}, false},
                                               Datagram{bytes_of("three"), {}, false}};
    loop.send_datagrams(client, datagrams);
    loop.until([&] { return server.datagrams.size() == 3; }, "the datagrams");
    EXPECT_EQUAL(Fault::failures(), 3U);
    EXPECT(client.datagram_errors.empty());
  }
}

// Refused: told, and counted as taken; those behind it go out.
FAULT_CASE(send_datagrams_refused) {
  for (const int errno_value : {EMSGSIZE, EPERM, EHOSTUNREACH, ENETUNREACH, EACCES}) {
    Loop loop;
    End& server = loop.datagram();
    End& client = loop.datagram(loopback(), loop.local(server));
    loop.receive(server);
    const Fault fault(Call::sendmmsg, errno_value);
    const std::array<Datagram, 2> datagrams = {Datagram{bytes_of("refused"), {}, false},
                                               Datagram{bytes_of("sent"), {}, false}};
    EXPECT_EQUAL(loop.offer_to(client, datagrams), 2U);
    loop.until([&] { return server.datagrams.size() == 1; }, "the second");
    EXPECT_EQUAL(server.datagrams[0].bytes, "sent");
    loop.until([&] { return !client.datagram_errors.empty(); }, "the refusal");
    EXPECT_EQUAL(client.datagram_errors.size(), 1U);
    EXPECT(client.datagram_errors[0] == system_error(errno_value));
  }
}

// The bounce of an earlier datagram costs the one in hand nothing.
FAULT_CASE(send_datagrams_hears_of_a_bounce) {
  Loop loop;
  End& server = loop.datagram();
  End& client = loop.datagram(loopback(), loop.local(server));
  loop.receive(server);
  const Fault fault(Call::sendmmsg, ECONNREFUSED);
  const std::array<Datagram, 1> datagrams = {Datagram{bytes_of("sent"), {}, false}};
  EXPECT_EQUAL(loop.offer_to(client, datagrams), 1U);
  loop.until([&] { return server.datagrams.size() == 1; }, "the datagram");
  loop.until([&] { return !client.datagram_errors.empty(); }, "the bounce");
  EXPECT(client.datagram_errors[0] == std::errc::connection_refused);
}

// --- connect

FAULT_CASE(connect_fails_at_once) {
  for (const int errno_value : {ENETUNREACH, EADDRNOTAVAIL, ECONNREFUSED, EAGAIN, EPERM}) {
    Loop loop;
    End& listener = loop.listen();
    const Fault fault(Call::connect, errno_value);
    End& client = loop.dial(loop.local(listener));
    EXPECT_EQUAL(client.completions, 0U);
    loop.until([&] { return !client.connecting; }, "the error");
    EXPECT(client.connect_error == system_error(errno_value));
    loop.settle();
    EXPECT_EQUAL(client.completions, 1U);
    loop.close_and_forget(client);
  }
}

// An interrupted connect goes on.
FAULT_CASE(connect_interrupted) {
  Loop loop;
  End& listener = loop.listen();
  const Fault fault(Call::connect, EINTR);
  End& client = loop.dial(loop.local(listener));
  loop.until([&] { return client.connected; }, "the connection");
}

FAULT_CASE(connect_result_cannot_be_read) {
  Loop loop;
  End& listener = loop.listen();
  const Fault fault(Call::getsockopt, ENOBUFS);
  End& client = loop.dial(loop.local(listener));
  loop.until([&] { return !client.connecting; }, "the error");
  EXPECT(client.connect_error == system_error(ENOBUFS));
}

// --- the poller itself

FAULT_CASE(a_poller_cannot_be_made) {
  for (const Call call : {Call::epoll_create1, Call::eventfd, Call::epoll_ctl}) {
    for (const int errno_value : {EMFILE, ENFILE, ENOMEM}) {
      const Fault fault(call, errno_value);
      std::error_code error;
      try {
        const epoll::Poller poller{PollerOptions{}};
      } catch (const std::system_error& thrown) {
        error = thrown.code();
      }
      EXPECT(error == system_error(errno_value));
    }
  }
}

// Out of watches or memory: the socket stays the caller's, and the next attach is none the worse.
FAULT_CASE(attach_fails) {
  for (const int errno_value : {ENOSPC, ENOMEM}) {
    Loop loop;
    for (int round = 0; round < 3; ++round) {
      const Socket socket = Loop::streaming();
      End owner;
      {
        const Fault fault(Call::epoll_ctl, errno_value);
        std::error_code error;
        const Channel channel = loop.poller().attach(socket, &owner, error);
        EXPECT(error == system_error(errno_value));
        EXPECT(!channel.valid());
      }
      End& attached = loop.attach(socket);
      loop.settle(2);
      loop.close_and_forget(attached);
    }
  }
}

FAULT_CASE(a_watch_cannot_be_removed) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "bytes");
  const Fault fault(Call::epoll_ctl, ENOENT);
  loop.close_and_forget(server);
  EXPECT_EQUAL(Fault::failures(), 1U);
}

FAULT_CASE(wait_interrupted) {
  Loop loop;
  auto [client, server] = loop.pair();
  loop.receive(server);
  const Fault fault(Call::epoll_pwait2, EINTR, 1, 5);
  EXPECT_EQUAL(loop.turn(forever), 0U);
  loop.write(client, "bytes");
  loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
  loop.poller().wake();
  EXPECT_EQUAL(loop.turn(forever), 0U);
}

// A kernel before 5.11 has no epoll_pwait2: waits are in whole milliseconds, and never early.
FAULT_CASE(wait_on_an_older_kernel) {
  const Fault fault(Call::epoll_pwait2, ENOSYS, 1, Fault::always);
  Loop loop;
  count_from_zero();
  auto [client, server] = loop.pair();
  loop.receive(server);
  loop.write(client, "bytes");
  loop.until([&server = server] { return server.received == "bytes"; }, "the bytes");
  for (const Duration limit : {Duration{1}, Duration{100us}, Duration{1500us}, Duration{20ms}}) {
    const Time end = loop.poller().now() + limit;
    std::size_t waits = 0;
    while (loop.poller().now() < end) {
      EXPECT_NOTE(++waits <= 3, "the poller spins until the limit");
      loop.turn(end - loop.poller().now());
    }
  }
  loop.poller().wake();
  loop.turn(std::chrono::hours(24 * 50));
  loop.poller().wake();
  loop.turn(forever);
  EXPECT(calls_of(Call::epoll_wait) > 0);
  // It is asked for once, not before each wait.
  EXPECT(calls_of(Call::epoll_pwait2) <= 1);
}

// --- set-up and end

FAULT_CASE(sockets_cannot_be_made) {
  for (const int errno_value : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}) {
    const Fault fault(Call::socket, errno_value, 1, Fault::always);
    std::error_code error;
    EXPECT(!sockets().listen(loopback(), {}, error).valid());
    EXPECT(error == system_error(errno_value));
    error.clear();
    EXPECT(!sockets().stream(Family::ipv4, {}, {}, error).valid());
    EXPECT(error == system_error(errno_value));
    error.clear();
    EXPECT(!sockets().datagram(loopback(), {}, {}, error).valid());
    EXPECT(error == system_error(errno_value));
  }
}

// What a system refuses at any later step of the set-up is told, and the socket is given back.
FAULT_CASE(set_up_fails_half_way) {
  ListenOptions options;
  options.socket = test::every_socket_option();
  for (const Call call : {Call::setsockopt, Call::bind, Call::listen}) {
    // More than there are calls.
    for (std::size_t first = 1; first <= 32; ++first) {
      const Fault fault(call, ENOBUFS, first);
      std::error_code error;
      const Socket socket = sockets().listen(loopback_ipv6(), options, error);
      EXPECT_EQUAL(socket.valid(), !error);
      EXPECT_EQUAL(static_cast<bool>(error), Fault::failures() == 1);
      if (error) EXPECT(error == system_error(ENOBUFS));
      if (socket.valid()) sockets().close(socket);
    }
  }
}

FAULT_CASE(shutdown_and_close_fail) {
  Loop loop;
  auto [client, server] = loop.pair();
  {
    const Fault fault(Call::shutdown, ENOTCONN);
    loop.shutdown_send(client);
    loop.settle();
    EXPECT(!client.failed());
  }
  for (const int errno_value : {EINTR, EIO, ENOSPC}) {
    End& end = loop.attach(Loop::streaming());
    const Fault fault(Call::close, errno_value);
    loop.close_and_forget(end);
    EXPECT_EQUAL(Fault::failures(), 1U);
  }
}

}  // namespace tern::faults
