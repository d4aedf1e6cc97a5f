#include "src/core/connection/output_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>

namespace tern {

BlockPool::~BlockPool() {
  for (Block* block : kept_) ::operator delete(block);
}

BlockPool::Block* BlockPool::take(std::size_t bytes) {
  if (bytes <= block_bytes && !kept_.empty()) {
    Block* block = kept_.back();
    kept_.pop_back();
    return block;
  }
  const std::size_t capacity = std::max(bytes, block_bytes);
  return new (::operator new(sizeof(Block) + capacity)) Block{capacity};
}

void BlockPool::give_back(Block* block) {
  if (block->capacity == block_bytes && kept_.size() < kept_blocks_max) {
    kept_.push_back(block);
  } else {
    ::operator delete(block);
  }
}

std::size_t OutputQueue::room_in_tail() const {
  if (first_ == segments_.size() || segments_.back().block == nullptr) return 0;
  const Segment& tail = segments_.back();
  const auto used = static_cast<std::size_t>(tail.data + tail.size - tail.block->bytes());
  return tail.block->capacity - used;
}

// All that one more segment needs; what follows cannot fail.
BlockPool::Block* OutputQueue::take_block(std::size_t bytes, BlockPool& pool) {
  if (segments_.size() == segments_.capacity()) segments_.reserve(2 * segments_.size() + 4);
  return pool.take(bytes);
}

void OutputQueue::append_copy(std::span<const std::byte> bytes, BlockPool& pool) {
  const std::size_t fitting = std::min(bytes.size(), room_in_tail());
  const auto rest = bytes.subspan(fitting);
  // What can fail comes first.
  BlockPool::Block* block = nullptr;
  if (!rest.empty()) block = take_block(rest.size(), pool);
  if (fitting > 0) {
    Segment& tail = segments_.back();
    std::memcpy(const_cast<std::byte*>(tail.data) + tail.size, bytes.data(), fitting);
    tail.size += fitting;
  }
  if (block != nullptr) {
    std::memcpy(block->bytes(), rest.data(), rest.size());
    segments_.push_back({{}, block, block->bytes(), rest.size()});
  }
  bytes_ += bytes.size();
}

// A small buffer behind copied bytes, or in a queue of many, is copied as well: a segment for each,
// and a block for the next copy, would take many times the memory of what is queued.
void OutputQueue::append(const SharedBuffer& buffer, BlockPool& pool) {
  static constexpr std::size_t small_bytes = BlockPool::block_bytes / 4;
  static constexpr std::size_t many_segments = 8;
  const auto bytes = buffer.bytes();
  const bool is_many = segments_.size() - first_ >= many_segments;
  if (bytes.size() <= small_bytes && (is_many || room_in_tail() >= bytes.size())) {
    return append_copy(bytes, pool);
  }
  segments_.push_back({buffer, nullptr, bytes.data(), bytes.size()});
  bytes_ += bytes.size();
}

void OutputQueue::prepend_copy(std::span<const std::byte> bytes, BlockPool& pool) {
  BlockPool::Block* const block = take_block(bytes.size(), pool);
  std::memcpy(block->bytes(), bytes.data(), bytes.size());
  segments_.insert(segments_.begin() + static_cast<std::ptrdiff_t>(first_),
                   {{}, block, block->bytes(), bytes.size()});
  bytes_ += bytes.size();
}

std::size_t OutputQueue::gather(std::array<Slice, slices_max>& slices) const {
  const std::size_t count = std::min(segments_.size() - first_, slices_max);
  for (std::size_t i = 0; i < count; ++i) {
    const Segment& segment = segments_[first_ + i];
    slices[i] = {segment.data, segment.size};
  }
  return count;
}

void OutputQueue::drop_front(BlockPool& pool) {
  Segment& front = segments_[first_];
  if (front.block != nullptr) pool.give_back(front.block);
  front.block = nullptr;
  front.shared = {};
  ++first_;
}

void OutputQueue::consume(std::size_t bytes, BlockPool& pool) {
  assert(bytes <= bytes_);
  bytes_ -= bytes;
  while (bytes > 0) {
    Segment& front = segments_[first_];
    if (bytes < front.size) {
      front.data += bytes;
      front.size -= bytes;
      break;
    }
    bytes -= front.size;
    drop_front(pool);
  }
  if (first_ == segments_.size()) {
    segments_.clear();
    first_ = 0;
  } else if (first_ >= 64 && first_ * 2 >= segments_.size()) {
    // A queue that is never empty must not grow at its front.
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::clear(BlockPool& pool) {
  while (first_ < segments_.size()) drop_front(pool);
  // Pooled queues keep room for the usual, not for the longest that ever was.
  static constexpr std::size_t kept_segments_max = 32;
  segments_.clear();
  if (segments_.capacity() > kept_segments_max) segments_.shrink_to_fit();
  first_ = 0;
  bytes_ = 0;
}

}  // namespace tern
