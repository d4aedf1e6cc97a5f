// EVFILT_USER: FreeBSD, macOS, NetBSD from 10, DragonFly.
#include <cerrno>

#include "backends/kqueue/kqueue.hpp"

namespace tern::kqueue {

Wake::~Wake() = default;

int Wake::watch(int kqueue_fd, void* udata) {
  trigger_fd_ = kqueue_fd;
  struct kevent change {};
  // Told once for each trigger: without EV_CLEAR every later wait would end at once.
  EV_SET(&change, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, udata);
  return ::kevent(kqueue_fd, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : errno;
}

void Wake::trigger() {
  struct kevent change {};
  EV_SET(&change, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
  // Cannot fail: the event is there as long as the kqueue is.
  (void)::kevent(trigger_fd_, &change, 1, nullptr, 0, nullptr);
}

void Wake::take() {}

}  // namespace tern::kqueue
