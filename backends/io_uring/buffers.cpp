#include "backends/io_uring/buffers.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "backends/socket/posix.hpp"

namespace tern::io_uring {
namespace {

constexpr unsigned count_at_first = 16;
constexpr std::size_t cache_line_bytes = 64;

// Where the next buffer begins: never a whole number of pages further, or the first lines of all
// buffers, which most messages need alone, would contend for the same places of the cache.
std::size_t stride_of(std::size_t bytes) {
  const std::size_t lines = (bytes + cache_line_bytes - 1) / cache_line_bytes;
  return (lines | 1U) * cache_line_bytes;
}

// Pages that are given memory when they are first written to.
void* map_pages(std::size_t bytes) {
  void* const pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages != MAP_FAILED) return pages;
  throw std::system_error(posix::error_from(errno), "cannot set up io_uring's receive buffers");
}

}  // namespace

Buffers::Buffers(std::uint16_t group, std::size_t bytes, unsigned count_max)
    : group_(group),
      count_max_(count_max),
      count_(std::min(count_max, count_at_first)),
      entries_(std::bit_ceil(count_max)),
      bytes_(bytes),
      stride_(stride_of(bytes)),
      uses_(count_max) {
  memory_ = static_cast<std::byte*>(map_pages(stride_ * count_max_));
  try {
    ring_ = static_cast<io_uring_buf_ring*>(map_pages(entries_ * sizeof(io_uring_buf)));
  } catch (...) {
    ::munmap(memory_, stride_ * count_max_);
    throw;
  }
}

Buffers::~Buffers() {
  ::munmap(ring_, entries_ * sizeof(io_uring_buf));
  ::munmap(memory_, stride_ * count_max_);
}

int Buffers::register_with(Ring& ring) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(ring_);
  registration.ring_entries = entries_;
  registration.bgid = group_;
  io_uring_buf_ring_init(ring_);
  const int result = ring.register_buffers(registration);
  if (result != 0) return -result;
  added_ = 0;
  for (unsigned id = 0; id < count_; ++id) {
    if (uses_[id] == 0) add(static_cast<std::uint16_t>(id));
  }
  publish();
  return 0;
}

void Buffers::ran_out() {
  const unsigned more = std::min(count_max_, count_ * 2);
  for (; count_ < more; ++count_) add(static_cast<std::uint16_t>(count_));
}

// Written field by field: the ring's tail lies in what the first buffer does not use.
void Buffers::add(std::uint16_t id) {
  static_assert(offsetof(io_uring_buf_ring, tail) == offsetof(io_uring_buf, resv));
  auto* const buffers = reinterpret_cast<io_uring_buf*>(ring_);
  io_uring_buf& buffer = buffers[(ring_->tail + added_) & (entries_ - 1)];
  buffer.addr = reinterpret_cast<std::uint64_t>(at(id));
  buffer.len = static_cast<std::uint32_t>(bytes_);
  buffer.bid = id;
  ++added_;
}

}  // namespace tern::io_uring
