// Each socket option of the table is set and read back, from the sockets that heed it and from
// those that are accepted.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <system_error>
#include <variant>

#include "backends/socket/posix.hpp"
#include "support/socket_options.hpp"
#include "support/temporary_path.hpp"

namespace {

using namespace tern;
using posix::Sockets;

// What the kernel says of a socket.
struct Reader {
  Socket socket;
  OptionNumber number;
  const posix::KeepAliveNumbers& keep_alive = posix::keep_alive_numbers;

  // Of an option that is more than an int another Value.
  template <class Value = int>
  Value of(OptionNumber which) const {
    Value value{};
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(static_cast<int>(socket.handle), which.level, which.name, &value, &size) ==
            0);
    return value;
  }
  template <class Value = int>
  Value own() const {
    return of<Value>(number);
  }
};

void check(const SocketOptionRow& row, const SocketOptions& options, Socket asked, Socket plain) {
  const Reader of_asked{asked, posix::number_of(row.option)};
  const Reader of_plain{plain, posix::number_of(row.option)};
  const int when_asked = of_asked.own();
  const int when_not = of_plain.own();
  CAPTURE(when_asked);
  CAPTURE(when_not);
  const test::IsHeld is_held{of_asked, of_plain};
  CHECK(std::visit([&](auto member) { return is_held(options.*member); }, row.member));
}

Endpoint anywhere() { return Endpoint::ipv4({127, 0, 0, 1}, 0); }

Socket listen(const SocketOptions& options, std::error_code& error) {
  ListenOptions listening;
  listening.socket = options;
  return Sockets::listen(anywhere(), listening, error);
}

// A connection that the listener accepted.
Socket accepted_by(Socket listener) {
  std::error_code error;
  const Socket client = Sockets::stream(Family::ipv4, {}, {}, error);
  REQUIRE_FALSE(error);
  const posix::Address address(Sockets::local(listener));
  (void)::connect(static_cast<int>(client.handle), address.get(), address.size);
  pollfd waiting{static_cast<int>(listener.handle), POLLIN, 0};
  REQUIRE(::poll(&waiting, 1, 60'000) == 1);
  const int fd = posix::accept_socket(static_cast<int>(listener.handle));
  Sockets::close(client);
  REQUIRE(fd >= 0);
  return {fd, SocketKind::stream};
}

template <class Open>
void check_sockets(const SocketOptionRow& row, const Open& open) {
  SocketOptions options = test::no_socket_options();
  test::change(options, row, test::AskFor{});
  std::error_code error;
  const Socket plain = open(test::no_socket_options(), error);
  REQUIRE_FALSE(error);
  const Socket asked = open(options, error);
  if (posix::number_of(row.option).exists()) {
    REQUIRE_MESSAGE(!error, error.message());
    check(row, options, asked, plain);
  } else {
    CHECK(error == std::errc::operation_not_supported);
  }
  if (asked.valid()) Sockets::close(asked);
  Sockets::close(plain);
}

TEST_CASE("socket options: each holds on the sockets that heed it, or is refused") {
  for (const SocketOptionRow& row : socket_option_table) {
    CAPTURE(static_cast<int>(row.option));
    if (heeds(row.heeded_by, Family::ipv4, SocketKind::listener)) check_sockets(row, listen);
    if (heeds(row.heeded_by, Family::ipv4, SocketKind::stream)) {
      check_sockets(row, [](const SocketOptions& options, std::error_code& error) {
        return Sockets::stream(Family::ipv4, {}, options, error);
      });
    }
    if (heeds(row.heeded_by, Family::ipv4, SocketKind::datagram)) {
      check_sockets(row, [](const SocketOptions& options, std::error_code& error) {
        return Sockets::datagram(anywhere(), {}, options, error);
      });
    }
  }
}

TEST_CASE("socket options: who is accepted inherits what the listener was given") {
  std::error_code error;
  const Socket plain_listener = listen(test::no_socket_options(), error);
  REQUIRE_FALSE(error);
  const Socket plain = accepted_by(plain_listener);
  for (const SocketOptionRow& row : socket_option_table) {
    CAPTURE(static_cast<int>(row.option));
    if (row.heeded_by == HeededBy::bound || !posix::number_of(row.option).exists()) continue;
    SocketOptions options = test::no_socket_options();
    test::change(options, row, test::AskFor{});
    const Socket listener = listen(options, error);
    REQUIRE_FALSE(error);
    const Socket accepted = accepted_by(listener);
    check(row, options, accepted, plain);
    Sockets::close(accepted);
    Sockets::close(listener);
  }
  Sockets::close(plain);
  Sockets::close(plain_listener);
}

TEST_CASE("socket options: those without a meaning are left out") {
  SocketOptions options = test::every_socket_option();
  for (const SocketOptionRow& row : socket_option_table) {
    if (row.heeded_by != HeededBy::tcp) test::change(options, row, test::LeaveOut{});
  }
  const test::TemporaryPath path;
  std::error_code error;
  ListenOptions listening;
  listening.socket = options;
  const Socket listener = Sockets::listen(Endpoint::local(path.string()).value(), listening, error);
  CHECK_FALSE(error);
  const Socket stream = Sockets::stream(Family::local, {}, options, error);
  CHECK_FALSE(error);
  const Socket datagram = Sockets::datagram(anywhere(), {}, options, error);
  CHECK_FALSE(error);
  for (const Socket socket : {listener, stream, datagram}) Sockets::close(socket);
}

}  // namespace
