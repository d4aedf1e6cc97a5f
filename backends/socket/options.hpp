// From the table of socket options to calls of a system.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <variant>

#include "backends/common/socket_option_table.hpp"
#include "backends/poller.hpp"

namespace tern {

// What setsockopt() of a system calls an option.
struct OptionNumber {
  int level = -1;  // so where this system has none, and whoever asks for it is refused
  int name = -1;

  bool exists() const { return level != -1; }
};

constexpr bool heeds(HeededBy heeded_by, Family family, SocketKind kind) {
  switch (heeded_by) {
    case HeededBy::all:
      return true;
    case HeededBy::tcp:
      return kind != SocketKind::datagram && family != Family::local;
    case HeededBy::bound:
      return kind != SocketKind::stream;
  }
  return false;
}

// Calls set(option, value) for each option that is asked for and has a meaning on such a socket,
// until one call returns false.
template <class Set>
bool apply_each(const SocketOptions& options, Family family, SocketKind kind, const Set& set) {
  return std::all_of(
      socket_option_table.begin(), socket_option_table.end(), [&](const SocketOptionRow& row) {
        return !heeds(row.heeded_by, family, kind) ||
               std::visit([&](auto member) { return apply_one(row.option, options.*member, set); },
                          row.member);
      });
}

// Keep-alive's times as the kernels take them.
inline int kernel_seconds(std::chrono::seconds value) {
  return static_cast<int>(std::clamp<std::int64_t>(value.count(), 1, 32767));
}
inline int kernel_probes(std::uint32_t value) {
  return static_cast<int>(std::clamp<std::uint32_t>(value, 1, 127));
}

}  // namespace tern
