// What the tests of kqueue() are written with: a queue, pairs of sockets, short words.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
// After the types that it uses.
#include <sys/event.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tern::test {

// A descriptor of the test's own, closed with it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  void close();
  std::size_t write(std::string_view text) const;
  // Reads at most that much of what is there, without waiting.
  std::size_t read(std::size_t most) const;

 private:
  int fd_;
};

struct Pair {
  Descriptor near;
  Descriptor far;
};
// Connected stream sockets, non-blocking.
Pair local_pair();
Pair tcp_pair();
Descriptor tcp_listener(std::uint16_t& port);
Descriptor tcp_socket();
// 0 or an errno value, EINPROGRESS as a rule.
int connect_to(const Descriptor& socket, std::uint16_t port);

inline struct kevent change(std::uintptr_t ident, int filter, unsigned flags, unsigned notes = 0,
                            std::int64_t data = 0, void* own = nullptr) {
  struct kevent made {};
  EV_SET(&made, ident, static_cast<std::int16_t>(filter), static_cast<std::uint16_t>(flags), notes,
         data, own);
  return made;
}
inline struct kevent change(const Descriptor& on, int filter, unsigned flags, unsigned notes = 0,
                            std::int64_t data = 0, void* own = nullptr) {
  return change(static_cast<std::uintptr_t>(on.get()), filter, flags, notes, data, own);
}

class Queue {
 public:
  Queue();

  int fd() const { return queue_.get(); }
  // Makes one change. 0 or an errno value.
  int make(const struct kevent& one) const;
  // What there is to tell now; `room` events at most.
  std::vector<struct kevent> look(std::size_t room = 16) const;
  // The same, but waits for it: at most ten seconds.
  std::vector<struct kevent> wait(std::size_t room = 16) const;

 private:
  Descriptor queue_;
};

// The only event, which is of that filter; fails the test otherwise.
struct kevent only(const std::vector<struct kevent>& events, int filter);

}  // namespace tern::test
