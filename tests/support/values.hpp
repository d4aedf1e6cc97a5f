// What cases are written with: addresses of this machine, bytes as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tern/endpoint.hpp"

namespace tern::test {

inline Endpoint loopback(std::uint16_t port = 0) { return Endpoint::ipv4({127, 0, 0, 1}, port); }

inline Endpoint loopback_ipv6(std::uint16_t port = 0) {
  return Endpoint::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
}

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace tern::test
