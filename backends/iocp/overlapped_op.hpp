// Act: one operation that the kernel has been asked for, from its start until its packet was taken
// from the port. Acts: the memory of all of them.
//
//     take() ──► the call ──► pending ──────────► packet ──► give_back()
//                  ├────────► done, and no packet will come ────┤
//                  └────────► failed, and no packet will come ──┘
//
//   The kernel writes to an act until its packet is taken, whatever happens to the socket
//   meanwhile: closing and cancelling only begin to end it. So an act belongs to nobody else until
//   then, its memory is never given back to the system while the poller lives, and a guard before
//   and behind what the kernel writes shows whether it kept to its place.
//
// Sources: Microsoft's reference of OVERLAPPED, CancelIoEx, GetQueuedCompletionStatusEx.
#pragma once

#include <winsock2.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backends/poller.hpp"

namespace tern::iocp {

// A guard has one value while its act is under way and another while it rests, so that a packet of
// an act that is over is noticed as well.
class Guard {
 public:
  void rise() { value_ = raised; }
  void fall() { value_ = fallen; }
  bool is_raised() const { return value_ == raised; }

 private:
  static constexpr std::uint64_t raised = 0x5ca1ab1e'0ddba115U;
  static constexpr std::uint64_t fallen = 0xdeadac70'00000000U;

  std::uint64_t value_ = fallen;
};

struct Act {
  Guard front;
  OVERLAPPED overlapped{};
  DWORD flags = 0;  // of a receive, which may be told at its end
  Guard back;
  Channel channel;
  Operation operation = Operation::close;
  bool is_told = false;  // its result was known at once, only its packet is outstanding
  Act* next_free = nullptr;
  SOCKET accepting = INVALID_SOCKET;    // of an accept: the socket that will be the connection
  std::unique_ptr<std::byte[]> memory;  // what the kernel uses beside the caller's bytes

  // The kernel is done with it, though its packet may not be in the port yet.
  bool has_ended() const { return HasOverlappedIoCompleted(&overlapped); }

  static Act& of(OVERLAPPED& overlapped) {
    return *reinterpret_cast<Act*>(reinterpret_cast<std::byte*>(&overlapped) -
                                   offsetof(Act, overlapped));
  }
};

class Acts {
 public:
  Act& take(Channel channel, Operation operation) {
    if (free_ == nullptr) grow();
    Act& act = *free_;
    free_ = act.next_free;
    act.overlapped = {};
    act.flags = 0;
    act.front.rise();
    act.back.rise();
    act.channel = channel;
    act.operation = operation;
    act.is_told = false;
    ++under_way_;
    return act;
  }

  // REQUIRES that the kernel is done with it.
  void give_back(Act& act) {
    assert(act.front.is_raised() && act.back.is_raised() && "the kernel wrote beside an act");
    act.front.fall();
    act.back.fall();
    act.memory.reset();
    act.next_free = free_;
    free_ = &act;
    --under_way_;
  }

  std::size_t under_way() const { return under_way_; }

  // The kernel may still write to some of them: their memory is left to it for good.
  void abandon() {
    for (std::unique_ptr<Act[]>& chunk : chunks_) (void)chunk.release();
  }

 private:
  static constexpr std::size_t chunk_acts = 64;

  void grow() {
    chunks_.push_back(std::make_unique<Act[]>(chunk_acts));
    for (std::size_t i = 0; i < chunk_acts; ++i) {
      chunks_.back()[i].next_free = free_;
      free_ = &chunks_.back()[i];
    }
  }

  std::vector<std::unique_ptr<Act[]>> chunks_;
  Act* free_ = nullptr;
  std::size_t under_way_ = 0;
};

}  // namespace tern::iocp
