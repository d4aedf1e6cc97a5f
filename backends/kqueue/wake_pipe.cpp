// A pipe in the kqueue, where the system has no EVFILT_USER: OpenBSD, NetBSD before 10.
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>
// After the types that it uses.
#include <sys/event.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "backends/kqueue/wake.hpp"

namespace tern::kqueue {

Wake::~Wake() {
  if (read_fd_ >= 0) ::close(read_fd_);
  if (write_fd_ >= 0) ::close(write_fd_);
}

int Wake::watch(int kqueue_fd, void* udata) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return errno;
  read_fd_ = ends[0];
  write_fd_ = ends[1];
  for (const int end : ends) {
    if (::fcntl(end, F_SETFL, O_NONBLOCK) != 0) return errno;
    if (::fcntl(end, F_SETFD, FD_CLOEXEC) != 0) return errno;
  }
  struct kevent change {};
  EV_SET(&change, static_cast<std::uintptr_t>(read_fd_), EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0,
         udata);
  return ::kevent(kqueue_fd, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
}

void Wake::trigger() {
  const char any = 0;
  // A full pipe is full of wakes that nobody has taken yet.
  (void)!::write(write_fd_, &any, sizeof any);
}

void Wake::take() {
  std::array<char, 64> bytes{};
  (void)!::read(read_fd_, bytes.data(), bytes.size());
}

}  // namespace tern::kqueue
