#include "src/output_queue.hpp"

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

void OutputQueue::append_copy(std::span<const std::byte> bytes, BlockPool& pool) {
  bytes_ += bytes.size();
  if (first_ < segments_.size() && segments_.back().block != nullptr) {
    Segment& tail = segments_.back();
    std::byte* const end = const_cast<std::byte*>(tail.data) + tail.size;
    const auto used = static_cast<std::size_t>(end - tail.block->bytes());
    const std::size_t fitting = std::min(bytes.size(), tail.block->capacity - used);
    if (fitting > 0) std::memcpy(end, bytes.data(), fitting);
    tail.size += fitting;
    bytes = bytes.subspan(fitting);
  }
  if (bytes.empty()) return;
  BlockPool::Block* block = pool.take(bytes.size());
  std::memcpy(block->bytes(), bytes.data(), bytes.size());
  segments_.push_back({{}, block, block->bytes(), bytes.size()});
}

void OutputQueue::append(const SharedBuffer& buffer) {
  const auto bytes = buffer.bytes();
  bytes_ += bytes.size();
  segments_.push_back({buffer, nullptr, bytes.data(), bytes.size()});
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
  segments_.clear();
  first_ = 0;
  bytes_ = 0;
}

}  // namespace tern
