// Values for each row of the table of socket options, so that tests go through all of them.
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
