// OverlappedOp: one operation that the kernel has been asked for, from its start until its packet
// was taken from the port. OverlappedPool: the memory of all of them.
//
//     take() ──► the call ──► pending ──────────► packet ──► release()
//                  ├────────► done, and no packet will come ─────┤
//                  └────────► failed, and no packet will come ───┘
//
//   The kernel writes to an operation until its packet is taken, whatever happens to the socket
//   meanwhile: closing and cancelling only begin to end it. So it belongs to nobody else until
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

// A guard has one value while its operation is under way and another while it is free, so that a
// packet of an operation that is over is noticed as well.
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

struct OverlappedOp {
  Guard front;
  OVERLAPPED overlapped{};
  DWORD flags = 0;  // of a receive, which may be told at its end
  Guard back;
  Channel channel;
  Operation operation = Operation::close;
  bool is_told = false;  // its result was known at once, only its packet is outstanding
  OverlappedOp* next_free = nullptr;
  SOCKET accepting = INVALID_SOCKET;    // of an accept: the socket that will be the connection
  std::unique_ptr<std::byte[]> memory;  // what the kernel uses beside the caller's bytes

  // The kernel is done with it, though its packet may not be in the port yet.
  bool has_ended() const { return HasOverlappedIoCompleted(&overlapped); }

  static OverlappedOp& of(OVERLAPPED& overlapped) {
    return *reinterpret_cast<OverlappedOp*>(reinterpret_cast<std::byte*>(&overlapped) -
                                            offsetof(OverlappedOp, overlapped));
  }
};

class OverlappedPool {
 public:
  OverlappedOp& take(Channel channel, Operation operation) {
    if (free_ == nullptr) grow();
    OverlappedOp& op = *free_;
    free_ = op.next_free;
    op.overlapped = {};
    op.flags = 0;
    op.front.rise();
    op.back.rise();
    op.channel = channel;
    op.operation = operation;
    op.is_told = false;
    ++under_way_;
    return op;
  }

  // REQUIRES that the kernel is done with it.
  void release(OverlappedOp& op) {
    assert(op.front.is_raised() && op.back.is_raised() && "the kernel wrote beside an operation");
    op.front.fall();
    op.back.fall();
    op.memory.reset();
    op.next_free = free_;
    free_ = &op;
    --under_way_;
  }

  std::size_t under_way() const { return under_way_; }

  // The kernel may still write to some of them: their memory is left to it for good.
  void abandon() {
    for (std::unique_ptr<OverlappedOp[]>& chunk : chunks_) (void)chunk.release();
  }

 private:
  static constexpr std::size_t chunk_operations = 64;

  void grow() {
    chunks_.push_back(std::make_unique<OverlappedOp[]>(chunk_operations));
    for (std::size_t i = 0; i < chunk_operations; ++i) {
      chunks_.back()[i].next_free = free_;
      free_ = &chunks_.back()[i];
    }
  }

  std::vector<std::unique_ptr<OverlappedOp[]>> chunks_;
  OverlappedOp* free_ = nullptr;
  std::size_t under_way_ = 0;
};

}  // namespace tern::iocp
