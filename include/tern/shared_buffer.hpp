// SharedBuffer: immutable bytes with a reference count, so that one formatted message is held once
// however many connections send it.
//
//   A value the size of a pointer. Copies share the bytes; the last one frees them.
//   THREAD  copies may be made and dropped on any thread; the bytes never
//          change after the copy was made.
//
//        SharedBuffer ──► ┌ references │ size ┬ bytes ...            ┐
//        SharedBuffer ──► └───────────────────┴──────────────────────┘
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "tern/export.hpp"

namespace tern {

class TERN_API SharedBuffer {
 public:
  SharedBuffer() = default;
  // A copy of `bytes`, at most 4 GiB - 1. Throws std::bad_alloc, also for more than that.
  static SharedBuffer copy_of(std::span<const std::byte> bytes);
  static SharedBuffer copy_of(std::string_view text);

  SharedBuffer(const SharedBuffer& other) noexcept : block_(other.block_) { retain(); }
  SharedBuffer(SharedBuffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBuffer& operator=(SharedBuffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBuffer() { release(); }

  explicit operator bool() const { return block_ != nullptr; }
  std::span<const std::byte> bytes() const {
    return block_ == nullptr ? std::span<const std::byte>{}
                             : std::span(block_->bytes(), block_->size);
  }
  std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }

 private:
  struct Block {
    std::atomic<std::uint32_t> references{1};
    std::uint32_t size = 0;

    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  };

  explicit SharedBuffer(Block* block) : block_(block) {}
  static void destroy(Block* block) noexcept;

  void retain() noexcept {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy(block_);
    }
  }

  Block* block_ = nullptr;
};

}  // namespace tern
