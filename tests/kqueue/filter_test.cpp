// The filters of sockets: ends, errors, connects, listeners, the urgent byte.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "tests/kqueue/kqueue_case.hpp"

namespace tern::test {
namespace {

int socket_error(const Descriptor& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  REQUIRE(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0);
  return error;
}

// Waits until the queue has told of `count` events, and returns them.
std::vector<struct kevent> wait_for(const Queue& queue, std::size_t count) {
  std::vector<struct kevent> all;
  while (all.size() < count) {
    const auto events = queue.wait();
    REQUIRE(!events.empty());
    all.insert(all.end(), events.begin(), events.end());
  }
  return all;
}

}  // namespace

TEST_CASE("filter: the end comes with the bytes before it") {
  for (const bool is_local : {true, false}) {
    Pair pair = is_local ? local_pair() : tcp_pair();
    const Queue queue;
    pair.far.write("bytes");
    pair.far.close();
    REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
    struct kevent event = only(queue.wait(), EVFILT_READ);
    // The bytes may be told of before the end has arrived.
    for (int i = 0; i < 1000 && (event.flags & EV_EOF) == 0; ++i) event = queue.wait()[0];
    CHECK((event.flags & EV_EOF) != 0);
    CHECK(event.data == 5);
    CHECK(pair.near.read(100) == 5);
    event = only(queue.look(), EVFILT_READ);
    CHECK((event.flags & EV_EOF) != 0);
    CHECK(event.data == 0);
    CHECK(event.fflags == 0);
  }
}

TEST_CASE("filter: an end of input is none of output") {
  const Queue queue;
  const Pair pair = tcp_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  REQUIRE(::shutdown(pair.far.get(), SHUT_WR) == 0);
  CHECK((only(queue.wait(), EVFILT_READ).flags & EV_EOF) != 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD)) == 0);
  const struct kevent event = only(queue.look(), EVFILT_WRITE);
  CHECK((event.flags & EV_EOF) == 0);
  CHECK(event.data > 0);
}

TEST_CASE("filter: our own shutdown ends output, and no input") {
  const Queue queue;
  const Pair pair = tcp_pair();
  REQUIRE(::shutdown(pair.near.get(), SHUT_WR) == 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD)) == 0);
  CHECK((only(queue.look(), EVFILT_WRITE).flags & EV_EOF) != 0);
}

TEST_CASE("filter: a reset ends both, and the error stays the socket's") {
  const Queue queue;
  Pair pair = tcp_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  const linger now{1, 0};
  REQUIRE(::setsockopt(pair.far.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  pair.far.close();
  const struct kevent event = only(queue.wait(), EVFILT_READ);
  CHECK((event.flags & EV_EOF) != 0);
  CHECK(event.fflags == ECONNRESET);
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD)) == 0);
  CHECK((only(queue.look(), EVFILT_WRITE).flags & EV_EOF) != 0);
  CHECK(socket_error(pair.near) == ECONNRESET);
}

TEST_CASE("filter: a local peer that closes ends output without an error") {
  const Queue queue;
  Pair pair = local_pair();
  pair.far.close();
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD)) == 0);
  const struct kevent event = only(queue.look(), EVFILT_WRITE);
  CHECK((event.flags & EV_EOF) != 0);
  CHECK(event.fflags == 0);
}

TEST_CASE("filter: a socket that is not connected says nothing") {
  const Queue queue;
  const Descriptor socket = tcp_socket();
  REQUIRE(queue.make(change(socket, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  REQUIRE(queue.make(change(socket, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
  CHECK(queue.look().empty());
  std::uint16_t port = 0;
  const Descriptor listener = tcp_listener(port);
  (void)connect_to(socket, port);
  const struct kevent event = only(queue.wait(), EVFILT_WRITE);
  CHECK((event.flags & EV_EOF) == 0);
  CHECK(socket_error(socket) == 0);
}

TEST_CASE("filter: a refused connect ends both, and the socket says why") {
  const Queue queue;
  const Descriptor socket = tcp_socket();
  std::uint16_t port = 0;
  { const Descriptor closed = tcp_listener(port); }
  REQUIRE(queue.make(change(socket, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  REQUIRE(queue.make(change(socket, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
  (void)connect_to(socket, port);
  for (const struct kevent& event : wait_for(queue, 2)) CHECK((event.flags & EV_EOF) != 0);
  CHECK(socket_error(socket) == ECONNREFUSED);
}

TEST_CASE("filter: a listener tells how many are waiting") {
  const Queue queue;
  std::uint16_t port = 0;
  const Descriptor listener = tcp_listener(port);
  REQUIRE(queue.make(change(listener, EVFILT_READ, EV_ADD)) == 0);
  CHECK(queue.look().empty());
  std::vector<Descriptor> clients;
  for (int count = 1; count <= 3; ++count) {
    clients.push_back(tcp_socket());
    (void)connect_to(clients.back(), port);
    const Queue connected;
    REQUIRE(connected.make(change(clients.back(), EVFILT_WRITE, EV_ADD)) == 0);
    REQUIRE(connected.wait().size() == 1);
    struct kevent event = only(queue.wait(), EVFILT_READ);
    for (int i = 0; i < 1000 && event.data < count; ++i) event = queue.wait()[0];
    CHECK(event.data == count);
  }
}

TEST_CASE("filter: input counts only from the low water mark on") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD, NOTE_LOWAT, 4)) == 0);
  pair.far.write("abc");
  CHECK(queue.look().empty());
  pair.far.write("d");
  CHECK(only(queue.look(), EVFILT_READ).data == 4);
  CHECK(pair.near.read(1) == 1);
  CHECK(queue.look().empty());
  // The end does not wait for it.
  REQUIRE(::shutdown(pair.far.get(), SHUT_WR) == 0);
  CHECK((only(queue.look(), EVFILT_READ).flags & EV_EOF) != 0);
}

TEST_CASE("filter: there is output as long as there is room") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
  only(queue.look(), EVFILT_WRITE);
  const std::string_view text = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  std::size_t written = 0;
  for (;;) {
    const ssize_t count = ::write(pair.near.get(), text.data(), text.size());
    if (count < 0) break;
    written += static_cast<std::size_t>(count);
  }
  CHECK(errno == EAGAIN);
  CHECK(queue.look().empty());
  std::size_t read = 0;
  for (std::size_t count = 1; count > 0; read += count) count = pair.far.read(65'536);
  CHECK(read == written);
  only(queue.wait(), EVFILT_WRITE);
}

TEST_CASE("filter: an empty datagram is input") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()) == 0);
  const Descriptor near(ends[0]);
  const Descriptor far(ends[1]);
  const Queue queue;
  REQUIRE(queue.make(change(near, EVFILT_READ, EV_ADD)) == 0);
  CHECK(queue.look().empty());
  REQUIRE(::send(far.get(), "", 0, 0) == 0);
  only(queue.look(), EVFILT_READ);
}

TEST_CASE("filter: what lies behind an urgent byte is counted, the byte is not") {
  const Queue queue;
  const Pair pair = tcp_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  pair.far.write("ab");
  REQUIRE(::send(pair.far.get(), "!", 1, MSG_OOB) == 1);
  pair.far.write("cde");
  struct kevent event = only(queue.wait(), EVFILT_READ);
  // macOS counts up to the urgent byte, and says so.
  const auto is_whole = [&] { return event.data == 5 || (event.flags & EV_FLAG1) != 0; };
  for (int i = 0; i < 1000 && !is_whole(); ++i) event = queue.wait()[0];
  CHECK(is_whole());
  CHECK(pair.near.read(100) == 2);
  CHECK(only(queue.look(), EVFILT_READ).data == 3);
  CHECK(pair.near.read(100) == 3);
  CHECK(queue.look().empty());
}

TEST_CASE("filter: a pipe tells of its input and of its end") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const Descriptor near(ends[0]);
  Descriptor far(ends[1]);
  const Queue queue;
  REQUIRE(queue.make(change(near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  CHECK(queue.look().empty());
  far.write("x");
  CHECK(only(queue.look(), EVFILT_READ).data == 1);
  CHECK(queue.look().empty());
  far.close();
  const struct kevent event = only(queue.look(), EVFILT_READ);
  CHECK((event.flags & EV_EOF) != 0);
  CHECK(event.data == 1);
}

}  // namespace tern::test
