// A pipe in the kqueue, where the system has no EVFILT_USER: OpenBSD, NetBSD before 10.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "backends/kqueue/kqueue.hpp"

namespace tern::kqueue {

Wake::~Wake() {
  if (read_fd_ >= 0) ::close(read_fd_);
  if (trigger_fd_ >= 0) ::close(trigger_fd_);
}

int Wake::watch(int kqueue_fd, void* udata) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return errno;
  read_fd_ = ends[0];
  trigger_fd_ = ends[1];
  struct kevent change {};
  EV_SET(&change, static_cast<std::uintptr_t>(read_fd_), EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0,
         udata);
  return ::kevent(kqueue_fd, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
}

// A full pipe is full of wakes that nobody has taken yet.
void Wake::trigger() { (void)!::write(trigger_fd_, "", 1); }

void Wake::take() {
  std::array<char, 64> bytes{};
  (void)!::read(read_fd_, bytes.data(), bytes.size());
}

}  // namespace tern::kqueue
