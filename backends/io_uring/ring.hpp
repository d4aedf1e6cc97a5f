// Ring: the two queues that are shared with the kernel, and the one call that works on both.
//
//     entries, made by us ──► submission queue ──┐
//                                                ├── enter(): the kernel takes, works, tells
//     results, read by us ◄── completion queue ◄─┘
//
//   THREAD  Belongs to the thread of its first enter(); on another one enter() is EEXIST, and only
//           reopen() helps.
//
// Sources: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
#pragma once

#include <liburing.h>

#include <cstdint>
#include <system_error>

#include "tern/time.hpp"

namespace tern::io_uring {

// What the kernel says of one entry; `user_data` is what the entry was marked with.
struct Result {
  std::uint64_t user_data = 0;
  int value = 0;  // a count, a descriptor, or a negative errno
  std::uint32_t flags = 0;
};

class Ring {
 public:
  // Throws std::system_error where the kernel has no io_uring or not enough of it.
  Ring();
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Leaves the kernel to cancel everything of the old ring, and begins with an empty one. On
  // failure there is none: until it succeeds, enter() is EBADFD.
  std::error_code reopen();

  // The entries that still fit, and the next of them. REQUIRES room() > 0.
  unsigned room() const { return is_open_ ? io_uring_sq_space_left(&ring_) : 0; }
  io_uring_sqe& entry() { return *io_uring_get_sqe(&ring_); }

  // Hands over the entries and lets the kernel work until there is a result or the limit has
  // passed; with no limit left it only looks. Returns a negative errno, or not.
  int enter(Duration limit);

  bool has_result() const { return is_open_ && io_uring_cq_ready(&ring_) > 0; }
  // The oldest result. False: the kernel has told everything.
  bool take(Result& result) {
    if (!is_open_) [[unlikely]]
      return false;
    unsigned head = 0;
    const io_uring_cqe* oldest = nullptr;
    io_uring_for_each_cqe(&ring_, head, oldest) {
      result = {oldest->user_data, oldest->res, oldest->flags};
      io_uring_cq_advance(&ring_, 1);
      return true;
    }
    return false;
  }

  // Every entry that the kernel still has comes to its end; the results can then be taken. Only on
  // the ring's own thread.
  void cancel_all();

  // Registers memory of ours as a ring of buffers. Returns 0 or a negative errno.
  int register_buffers(io_uring_buf_reg& registration) {
    return io_uring_register_buf_ring(&ring_, &registration, 0);
  }

 private:
  int open();
  void close();

  struct ::io_uring ring_ {};
  bool is_open_ = false;
  bool is_enabled_ = false;
};

}  // namespace tern::io_uring
