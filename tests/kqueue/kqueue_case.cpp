#include "tests/kqueue/kqueue_case.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tern::test {
namespace {

void set_non_blocking(const Descriptor& descriptor) {
  REQUIRE(::fcntl(descriptor.get(), F_SETFL, O_NONBLOCK) == 0);
}

sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::vector<struct kevent> events_within(int queue, std::size_t room, const timespec& limit) {
  std::vector<struct kevent> events(room);
  const int count =
      ::kevent(queue, nullptr, 0, events.data(), static_cast<int>(events.size()), &limit);
  REQUIRE(count >= 0);
  events.resize(static_cast<std::size_t>(count));
  return events;
}

}  // namespace

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::size_t Descriptor::write(std::string_view text) const {
  const ssize_t written = ::write(fd_, text.data(), text.size());
  REQUIRE(written >= 0);
  return static_cast<std::size_t>(written);
}

std::size_t Descriptor::read(std::size_t most) const {
  std::vector<char> bytes(most);
  const ssize_t count = ::read(fd_, bytes.data(), bytes.size());
  return static_cast<std::size_t>(std::max<ssize_t>(count, 0));
}

Pair local_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  Pair pair{Descriptor(ends[0]), Descriptor(ends[1])};
  set_non_blocking(pair.near);
  set_non_blocking(pair.far);
  return pair;
}

Descriptor tcp_socket() {
  Descriptor made(::socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(made.get() >= 0);
  set_non_blocking(made);
  return made;
}

Descriptor tcp_listener(std::uint16_t& port) {
  Descriptor made = tcp_socket();
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  REQUIRE(::bind(made.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(made.get(), 16) == 0);
  REQUIRE(::getsockname(made.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return made;
}

int connect_to(const Descriptor& socket, std::uint16_t port) {
  const sockaddr_in address = loopback_address(port);
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(socket.get(), plain, sizeof address) == 0 ? 0 : errno;
}

Pair tcp_pair() {
  std::uint16_t port = 0;
  const Descriptor listener = tcp_listener(port);
  Descriptor near = tcp_socket();
  (void)connect_to(near, port);
  const Queue queue;
  REQUIRE(queue.make(change(listener, EVFILT_READ, EV_ADD)) == 0);
  REQUIRE(queue.wait().size() == 1);
  Descriptor far(::accept(listener.get(), nullptr, nullptr));
  REQUIRE(far.get() >= 0);
  set_non_blocking(far);
  return {std::move(near), std::move(far)};
}

Queue::Queue() : queue_(::kqueue()) { REQUIRE(queue_.get() >= 0); }

int Queue::make(const struct kevent& one) const {
  return ::kevent(fd(), &one, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
}

std::vector<struct kevent> Queue::look(std::size_t room) const {
  return events_within(fd(), room, {0, 0});
}

std::vector<struct kevent> Queue::wait(std::size_t room) const {
  return events_within(fd(), room, {10, 0});
}

struct kevent only(const std::vector<struct kevent>& events, int filter) {
  REQUIRE(events.size() == 1);
  REQUIRE(events[0].filter == filter);
  return events[0];
}

}  // namespace tern::test
