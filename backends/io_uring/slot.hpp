// Slot: what the poller remembers of one channel. Backlog: results that came before their time.
//
//   Orders are only written down in the slot. What the kernel is told follows from two sets of
//   bits, right before it is entered (submit.cpp):
//
//       wants ── has not ──► an entry that starts the operation
//       has ── wants not ──► an entry that cancels it
//
//   `has` ends with the operation's last result. So an order that is given and withdrawn within one
//   turn costs the kernel nothing, and a ring that is lost is made again from what the slots want.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/io_uring/buffers.hpp"
#include "backends/poller.hpp"
#include "backends/socket/posix.hpp"

namespace tern::io_uring {

// What an entry refers to beside the caller's bytes, until its last result.
struct Transfer {
  posix::Address address;
  msghdr message{};
  std::array<iovec, slices_max> slices{};
  std::shared_ptr<std::byte[]> lent;  // what the slices lie in, if it is the poller's
};

// A result that waits for its order or its turn. What it received lies in a buffer of the ring or,
// for as long as receiving is stopped, in memory of its own: the ring is for those who receive.
struct Held {
  std::shared_ptr<std::byte[]> copy;
  int value = 0;
  std::uint32_t next = Channel::no_index;
  std::uint16_t buffer = Buffers::none;
};

struct Slot {
  static constexpr std::uint32_t bit(Operation operation, unsigned place) {
    return 1U << (static_cast<unsigned>(operation) + place);
  }
  static constexpr std::uint32_t wants(Operation operation) { return bit(operation, 0); }
  static constexpr unsigned has_place = 4;
  static constexpr std::uint32_t has(Operation operation) { return bit(operation, has_place); }
  static constexpr std::uint32_t cancels(Operation operation) { return bit(operation, 8); }
  static constexpr std::uint32_t wants_any = 0x00fU;
  static constexpr std::uint32_t has_any = 0x0f0U;
  static constexpr std::uint32_t cancels_any = 0xf00U;
  static constexpr std::uint32_t changed = 1U << 12;  // in the list of slots to look at
  static constexpr std::uint32_t queued = 1U << 13;   // in the list of slots with something to tell
  static constexpr std::uint32_t closing = 1U << 14;
  static constexpr std::uint32_t transfers = 1U << 15;  // `transfer` is valid, not `bytes`
  static constexpr std::uint32_t connects = 1U
                                            << 16;  // connect() was called: ask what became of it
  static constexpr std::uint32_t backing_off = 1U << 17;  // no room for another connection
  static constexpr std::uint32_t limited = 1U << 18;      // its receive ends after a buffer's worth

  bool is_closing() const { return is(closing); }
  std::uint32_t& link() { return held_first; }
  bool is(std::uint32_t mask) const { return (flags & mask) != 0; }
  void set(std::uint32_t mask) { flags |= mask; }
  void clear(std::uint32_t mask) { flags &= ~mask; }

  Owner* owner = nullptr;
  union {
    const std::byte* bytes = nullptr;  // of an unfinished send
    Transfer* transfer;
  };
  std::uint32_t bytes_count = 0;
  int fd = -1;
  std::uint32_t generation = 0;
  std::uint32_t flags = 0;
  std::uint32_t held_first = Channel::no_index;  // in the backlog
  std::uint32_t held_last = Channel::no_index;
  std::uint16_t held_count = 0;
  std::uint16_t turn = 0;              // of the last receive that was handed out
  std::uint16_t lent = Buffers::none;  // what an unfinished send lies in, if it is the poller's
  SocketKind kind = SocketKind::none;
};
static_assert(sizeof(Slot) <= 48);

// Lists of held results, one a slot, in common memory.
class Backlog {
 public:
  void push(Slot& slot, int value, std::uint16_t buffer) {
    std::uint32_t index = free_;
    if (index == Channel::no_index) {
      index = static_cast<std::uint32_t>(held_.size());
      held_.emplace_back();
    } else {
      free_ = held_[index].next;
    }
    Held& held = held_[index];
    held.value = value;
    held.buffer = buffer;
    held.next = Channel::no_index;
    (slot.held_count == 0 ? slot.held_first : held_[slot.held_last].next) = index;
    slot.held_last = index;
    ++slot.held_count;
  }

  // REQUIRES held_count > 0.
  Held& first(const Slot& slot) { return held_[slot.held_first]; }
  Held pop(Slot& slot) {
    const std::uint32_t index = slot.held_first;
    Held popped = std::move(held_[index]);
    slot.held_first = popped.next;
    held_[index].next = free_;
    free_ = index;
    --slot.held_count;
    return popped;
  }

  template <class Function>
  void for_each(const Slot& slot, Function function) {
    std::uint32_t index = slot.held_first;
    for (unsigned left = slot.held_count; left > 0; --left) {
      function(held_[index]);
      index = held_[index].next;
    }
  }

 private:
  std::vector<Held> held_;
  std::uint32_t free_ = Channel::no_index;
};

}  // namespace tern::io_uring
