// The socket options, each once: what sets them on sockets, what offers them on a command line and
// what tries them in tests is made from this list.
//
//   INVARIANTS  Each member of SocketOptions has one row, in the order of SocketOption. Accepted
//               sockets inherit what their listener was given: nothing is set after an accept.
//               macOS is said to leave out keep-alive's idle time (xnu, tcp_input.c); nobody has
//               run it there yet.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "tern/socket_options.hpp"

namespace tern {

enum class SocketOption : std::uint8_t {
  receive_buffer,
  send_buffer,
  keep_alive,
  no_delay,
  reuse_port,
};

// Which sockets heed an option; on others it has no meaning and is left out.
enum class HeededBy : std::uint8_t {
  all,
  tcp,    // listeners and streams of IP
  bound,  // listeners and datagram sockets
};

// The member decides what kind of value it is: a switch, bytes, times.
using SocketOptionMember =
    std::variant<bool SocketOptions::*, std::optional<std::uint32_t> SocketOptions::*,
                 std::optional<KeepAlive> SocketOptions::*>;

// Calls set(option, value) if there is something to be set: whether that succeeded, or nothing was.
// The value is as the kernels take it, an int where that is enough. One for each kind.
template <class Set>
bool apply_one(SocketOption option, bool value, const Set& set) {
  return !value || set(option, 1);
}
template <class Set>
bool apply_one(SocketOption option, const std::optional<std::uint32_t>& bytes, const Set& set) {
  // The kernels' limits are ints; a larger wish is the largest it can have.
  return !bytes || set(option, static_cast<int>(std::min<std::uint32_t>(*bytes, INT32_MAX)));
}
template <class Set>
bool apply_one(SocketOption option, const std::optional<KeepAlive>& times, const Set& set) {
  return !times || set(option, *times);
}

struct SocketOptionRow {
  SocketOption option;
  SocketOptionMember member;
  HeededBy heeded_by;
  std::string_view flag;  // of the servers' command line; empty: it is not offered there
  std::string_view purpose = {};
};

inline constexpr auto socket_option_table = std::to_array<SocketOptionRow>({
    {SocketOption::receive_buffer, &SocketOptions::receive_buffer_bytes, HeededBy::all,
     "--receive-buffer", "the kernel's receive buffer of each connection (SO_RCVBUF)"},
    {SocketOption::send_buffer, &SocketOptions::send_buffer_bytes, HeededBy::all, "--send-buffer",
     "the kernel's send buffer of each connection (SO_SNDBUF)"},
    {SocketOption::keep_alive, &SocketOptions::keep_alive, HeededBy::tcp, "--keep-alive",
     "probe silent peers"},
    {SocketOption::no_delay, &SocketOptions::no_delay, HeededBy::tcp, "--no-delay",
     "send small writes at once (TCP_NODELAY)"},
    // A server decides it by itself.
    {SocketOption::reuse_port, &SocketOptions::reuse_port, HeededBy::bound, ""},
});

static_assert([] {
  for (std::size_t i = 0; i < socket_option_table.size(); ++i) {
    if (socket_option_table[i].option != static_cast<SocketOption>(i)) return false;
  }
  // A member more has a name too few here, and no row.
  [[maybe_unused]] const auto& [no_delay, keep_alive, receive_buffer, send_buffer, reuse_port] =
      SocketOptions{};
  return socket_option_table.size() == 5;
}());

}  // namespace tern
