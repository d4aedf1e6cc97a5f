#include "tern/shared_buffer.hpp"

#include <cstring>
#include <new>
#include <stdexcept>

namespace tern {

SharedBuffer SharedBuffer::copy_of(std::span<const std::byte> bytes) {
  if (bytes.size() > UINT32_MAX) throw std::bad_alloc();
  Block* block = new (::operator new(sizeof(Block) + bytes.size())) Block;
  block->size = static_cast<std::uint32_t>(bytes.size());
  if (!bytes.empty()) std::memcpy(block->bytes(), bytes.data(), bytes.size());
  return SharedBuffer(block);
}

SharedBuffer SharedBuffer::copy_of(std::string_view text) {
  return copy_of(std::as_bytes(std::span(text)));
}

void SharedBuffer::destroy(Block* block) noexcept {
  block->~Block();
  ::operator delete(block);
}

}  // namespace tern
