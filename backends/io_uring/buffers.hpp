// Buffers: the memory that the kernel receives into, for all channels together.
//
//        publish() ──►  ring of addresses  ──► the kernel takes one for each receive
//           ▲                                            │
//       release(id) ◄── the current completion ◄─────────┘
//
//   The ring begins with a few buffers, so that the same memory is used again while it is in the
//   cache, and gets more of them when it ran out: up to a fixed number. Pages that no receive has
//   reached take no memory.
//
// Sources: io_uring_register_buf_ring(3), io_uring_setup_buf_ring(3).
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backends/io_uring/ring.hpp"

namespace tern::io_uring {

class Buffers {
 public:
  static constexpr std::uint16_t none = UINT16_MAX;

  // Throws std::system_error when there is no memory.
  Buffers(std::uint16_t group, std::size_t bytes, unsigned count_max);
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // Makes the ring known to the kernel, with every buffer that is not ours. 0 or an errno.
  int register_with(Ring& ring);

  std::uint16_t group() const { return group_; }
  std::byte* at(std::uint16_t id) { return memory_ + id * stride_; }
  // The kernel filled it: ours until it is released, as often as it was taken and lent.
  void took(std::uint16_t id) {
    uses_[id] = 1;
    ++ours_;
  }
  void lend(std::uint16_t id) { ++uses_[id]; }
  void release(std::uint16_t id) {
    if (--uses_[id] > 0) return;
    --ours_;
    add(id);
  }
  // More than half of all there can be are ours.
  bool are_scarce() const { return ours_ > count_max_ / 2; }
  // What was released becomes the kernel's.
  void publish() {
    if (added_ > 0) io_uring_buf_ring_advance(ring_, static_cast<int>(added_));
    added_ = 0;
  }
  // A receive found no buffer: more of them from now on, if there may be.
  void ran_out();

 private:
  void add(std::uint16_t id);

  std::uint16_t group_;
  unsigned count_max_;
  unsigned count_;  // of buffers in use: in the ring or ours
  unsigned ours_ = 0;
  unsigned added_ = 0;
  unsigned entries_;  // of the ring: a power of two
  std::size_t bytes_;
  std::size_t stride_;
  std::byte* memory_ = nullptr;
  io_uring_buf_ring* ring_ = nullptr;
  std::vector<std::uint32_t> uses_;  // of buffers that are ours
};

}  // namespace tern::io_uring
