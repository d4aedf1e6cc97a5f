// OutputQueue: what a connection has queued and the kernel has not taken yet. It exists only while
// there is something in it; both queues and blocks are pooled by the reactor.
//
//     consumed │ offered to the kernel │ not yet
//     ─────────┼───────────────────────┼─────────────────────────►  segments, in order
//              ▼                       ▼
//          ┌ copied bytes in a block ┐ ┌ shared buffer ┐ ┌ block with room left ┐
//
//   Small bytes are copied into blocks behind each other, so that many small sends are one slice,
//   and so that the memory of a queue is at most about four times what is queued.
//   Bytes already written never move or change: a completion kernel may be reading them.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "backends/poller.hpp"
#include "tern/shared_buffer.hpp"

namespace tern {

// The room for copied bytes: blocks of one size are kept for reuse, larger ones are not.
class BlockPool {
 public:
  static constexpr std::size_t block_bytes = 2048;

  struct Block {
    std::size_t capacity = 0;
    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  };

  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  // At least `bytes` of room. Throws std::bad_alloc.
  Block* take(std::size_t bytes);
  void give_back(Block* block);

 private:
  static constexpr std::size_t kept_blocks_max = 512;

  std::vector<Block*> kept_;
};

class OutputQueue {
 public:
  OutputQueue() = default;
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;
  // REQUIRES cleared: the queue does not know its pool.
  ~OutputQueue() = default;

  bool empty() const { return bytes_ == 0; }
  std::size_t bytes() const { return bytes_; }

  // These throw std::bad_alloc, and have done nothing then.
  void append_copy(std::span<const std::byte> bytes, BlockPool& pool);
  void append(const SharedBuffer& buffer, BlockPool& pool);
  // Before all that is queued. REQUIRES none of that is being read.
  void prepend_copy(std::span<const std::byte> bytes, BlockPool& pool);
  // The next slices to be sent, in order. Returns how many.
  std::size_t gather(std::array<Slice, slices_max>& slices) const;
  // The kernel took this many bytes. REQUIRES at most bytes().
  void consume(std::size_t bytes, BlockPool& pool);
  void clear(BlockPool& pool);

 private:
  struct Segment {
    SharedBuffer shared;                // either this ...
    BlockPool::Block* block = nullptr;  // ... or this holds the bytes
    const std::byte* data = nullptr;
    std::size_t size = 0;
  };

  std::size_t room_in_tail() const;
  BlockPool::Block* take_block(std::size_t bytes, BlockPool& pool);
  void drop_front(BlockPool& pool);

  std::vector<Segment> segments_;
  std::size_t first_ = 0;  // segments before it are consumed
  std::size_t bytes_ = 0;
};

}  // namespace tern
