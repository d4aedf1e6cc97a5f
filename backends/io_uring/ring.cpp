#include "backends/io_uring/ring.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "backends/socket/posix.hpp"

namespace tern::io_uring {
namespace {

constexpr unsigned entries_max = 1024;
// More results than entries: a standing order has many. Beyond these the kernel keeps a list.
constexpr unsigned results_max = 8192;

std::string what_is_wrong(int error) {
  const std::string advice = "; build with -Dpoller=epoll";
  // The last of what is needed came with Linux 6.1: who grants it has all the rest.
  if (error == EINVAL) return "io_uring is not available: needs Linux 6.1" + advice;
  if (error == EPERM) return "io_uring is not available: forbidden here" + advice;
  return "io_uring is not available" + advice;
}

}  // namespace

Ring::Ring() {
  const int error = open();
  if (error != 0) throw std::system_error(posix::error_from(error), what_is_wrong(error));
}

Ring::~Ring() { close(); }

// Disabled at first: the thread that enables the ring is the one it will belong to, and a poller
// may be made on one thread to run on another.
int Ring::open() {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
                     IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  parameters.cq_entries = results_max;
  const int result = io_uring_queue_init_params(entries_max, &ring_, &parameters);
  is_open_ = result == 0;
  is_enabled_ = false;
  return -result;
}

void Ring::close() {
  if (is_open_) io_uring_queue_exit(&ring_);
  is_open_ = false;
}

std::error_code Ring::reopen() {
  close();
  const int error = open();
  return error == 0 ? std::error_code{} : posix::error_from(error);
}

int Ring::enter(Duration limit) {
  if (!is_open_) return -EBADFD;
  if (!is_enabled_) {
    const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                         IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (result < 0) return result;
    is_enabled_ = true;
  }
  if (limit <= Duration::zero()) return io_uring_submit_and_get_events(&ring_);
  if (limit == forever) return io_uring_submit_and_wait(&ring_, 1);
  // The kernel adds the limit to its clock; what would not fit is waited for in parts.
  const Duration fitting = std::min<Duration>(limit, std::chrono::hours(24));
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(fitting);
  __kernel_timespec timeout{};
  timeout.tv_sec = whole.count();
  timeout.tv_nsec = (fitting - whole).count();
  io_uring_cqe* first = nullptr;
  return io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
}

void Ring::cancel_all() {
  if (!is_open_ || !is_enabled_) return;
  io_uring_sync_cancel_reg everything{};
  everything.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  everything.timeout.tv_sec = everything.timeout.tv_nsec = -1;
  // Fails where there was nothing to cancel, and on a thread that the ring does not belong to.
  (void)io_uring_register_sync_cancel(&ring_, &everything);
  (void)io_uring_submit_and_get_events(&ring_);
}

}  // namespace tern::io_uring
