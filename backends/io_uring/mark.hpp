// The mark of an entry: what its results are recognised by. Never reused alike, because a channel's
// generation is part of it.
//
//     generation (32) │ slot (24) │ is a cancellation (1) │ ... │ operation (3)
#pragma once

#include <cstdint>

#include "backends/poller.hpp"

namespace tern::io_uring {

inline constexpr std::uint64_t wake_mark = UINT64_MAX;
inline constexpr std::uint64_t cancellation = 0x80;
inline constexpr std::uint32_t index_max = (1U << 24U) - 1;
// Before a received datagram lie its address and lengths.
inline constexpr std::size_t datagram_head_bytes = 16 + 128;

constexpr std::uint64_t mark_of(Channel channel, Operation operation) {
  return std::uint64_t{channel.generation} << 32U | std::uint64_t{channel.index} << 8U |
         static_cast<std::uint64_t>(operation);
}

constexpr Operation operation_of(std::uint64_t mark) { return static_cast<Operation>(mark & 7U); }

constexpr Channel channel_of(std::uint64_t mark) {
  return {static_cast<std::uint32_t>(mark >> 8U) & index_max,
          static_cast<std::uint32_t>(mark >> 32U)};
}

}  // namespace tern::io_uring
