// Values for each row of the table of socket options, so that tests go through all of them, and
// whether a kernel holds them. A new kind of value has its overload in each of the three.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

#include "backends/common/socket_option_table.hpp"

namespace tern::test {

struct AskFor {
  void operator()(bool& value) const { value = true; }
  // Neither this nor twice of it is any system's own standard.
  void operator()(std::optional<std::uint32_t>& bytes) const { bytes = 10'240; }
  void operator()(std::optional<KeepAlive>& times) const {
    times = {std::chrono::seconds(30), std::chrono::seconds(5), 3};
  }
};

struct LeaveOut {
  void operator()(bool& value) const { value = false; }
  template <class Value>
  void operator()(std::optional<Value>& value) const {
    value.reset();
  }
};

// By what the kernel says of a socket that asked for it, and of one that did not. A reader has
// own(), what it says of the option, of(number), of another one, and what keep-alive's are called.
template <class Reader>
struct IsHeld {
  const Reader& asked;
  const Reader& plain;

  bool operator()(bool) const { return asked.own() != 0 && plain.own() == 0; }
  bool operator()(const std::optional<std::uint32_t>& bytes) const {
    // Linux doubles them.
    return asked.own() >= static_cast<int>(*bytes) && asked.own() != plain.own();
  }
  bool operator()(const std::optional<KeepAlive>& times) const {
    return (*this)(true) && asked.of(asked.keep_alive.idle) == times->idle.count() &&
           asked.of(asked.keep_alive.interval) == times->interval.count() &&
           asked.of(asked.keep_alive.probes) == static_cast<int>(times->probes);
  }
};
template <class Reader>
IsHeld(const Reader&, const Reader&) -> IsHeld<Reader>;

// The kernel is told of the option, or of nothing but its own standard.
template <class Change>
void change(SocketOptions& options, const SocketOptionRow& row, const Change& how) {
  std::visit([&](auto member) { how(options.*member); }, row.member);
}

inline SocketOptions no_socket_options() {
  SocketOptions options;
  for (const SocketOptionRow& row : socket_option_table) change(options, row, LeaveOut{});
  return options;
}

inline SocketOptions every_socket_option() {
  SocketOptions options;
  for (const SocketOptionRow& row : socket_option_table) change(options, row, AskFor{});
  return options;
}

}  // namespace tern::test
