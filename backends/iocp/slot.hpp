// Slot: what the poller remembers of one channel.
#pragma once

#include <winsock2.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "backends/iocp/overlapped_op.hpp"
#include "backends/poller.hpp"

namespace tern::iocp {

// What a listener has beside: what was accepted and not handed out yet.
struct Listening {
  Family family = Family::none;
  std::vector<const OverlappedOp*> posted;  // accepts under way
  std::deque<SOCKET> accepted;
};

struct Slot {
  static constexpr std::uint16_t wants_accept = 1U << 0;  // standing orders
  static constexpr std::uint16_t wants_receive = 1U << 1;
  static constexpr std::uint16_t wants_send = 1U << 2;   // a send that was not taken at once
  static constexpr std::uint16_t armed = 1U << 3;        // a receive of no bytes is under way
  static constexpr std::uint16_t readable = 1U << 4;     // and has ended: look what there is
  static constexpr std::uint16_t sending = 1U << 5;      // a send is under way
  static constexpr std::uint16_t backing_off = 1U << 6;  // the kernel had no room
  static constexpr std::uint16_t changed = 1U << 7;      // in the list of slots to look at
  static constexpr std::uint16_t queued = 1U << 8;  // in the list of slots with something to tell
  static constexpr std::uint16_t closing = 1U << 9;
  static constexpr std::uint16_t skips = 1U << 10;     // what is done at once brings no packet
  static constexpr std::uint16_t said_all = 1U << 11;  // shutdown_send() was called

  bool is_closing() const { return is(closing); }
  std::uint32_t& link() { return next_free; }
  bool is(std::uint16_t mask) const { return (flags & mask) != 0; }
  void set(std::uint16_t mask) { flags = static_cast<std::uint16_t>(flags | mask); }
  void clear(std::uint16_t mask) { flags = static_cast<std::uint16_t>(flags & ~mask); }

  Owner* owner = nullptr;
  SOCKET handle = INVALID_SOCKET;
  std::unique_ptr<Listening> listening;
  std::uint32_t generation = 0;
  std::uint32_t next_free = Channel::no_index;
  int receive_error = 0;         // told by an operation, behind the bytes that are there
  std::uint16_t operations = 0;  // under way; the socket is closed when there is none
  std::uint16_t flags = 0;
  SocketKind kind = SocketKind::none;
};

}  // namespace tern::iocp
