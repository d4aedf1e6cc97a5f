// The one list of contract cases that a backend need not pass, each with its reason. A case that is
// not named here runs on every backend.
#pragma once

#include <array>
#include <string_view>

namespace tern::test {

struct Exception {
  std::string_view case_name;
  std::string_view backend;
  std::string_view reason;
};

inline constexpr std::string_view no_paths = "sockets by path are refused there";

inline constexpr std::array exceptions = {
    Exception{"waits_keep_the_wall_clock", "simulated", "its clock is virtual and runs on its own"},
    Exception{"pattern_stream_between_threads", "simulated", "a network lives in one thread"},
    Exception{"handed_over_with_everything_under_way", "simulated",
              "a network lives in one thread"},
    Exception{"handed_over_while_connecting", "simulated", "a network lives in one thread"},
    Exception{"closed_after_its_thread_is_over", "simulated", "a network lives in one thread"},
    Exception{"woken_after_the_hand_over", "simulated", "a network lives in one thread"},
    Exception{"what_lies_behind_an_urgent_byte_is_received", "simulated",
              "its streams have no urgent byte"},
    Exception{"udp_bounce_connected", "iocp",
              "after a bounce Wine tells nothing more of the socket"},
    Exception{"a_datagram_socket_on_a_foreign_address", "iocp", "Wine binds it all the same"},
    Exception{"empty_is_the_end_on_a_unix_socket", "iocp", no_paths},
    Exception{"errors_of_unix_paths", "iocp", no_paths},
    Exception{"sending_to_the_gone_on_a_unix_socket", "iocp", no_paths},
};

// The reason why the case is left out in that world; empty: it is not. A backend's name stands for
// all worlds whose names begin with it.
constexpr std::string_view exception_for(std::string_view case_name, std::string_view world) {
  for (const Exception& exception : exceptions) {
    if (exception.case_name != case_name || !world.starts_with(exception.backend)) continue;
    return exception.reason;
  }
  return {};
}

}  // namespace tern::test
