// What an error of the kernel means to a poller: whether to try again, and when. Each world's table
// is beside its error codes: posix::classify(), winsock::classify().
//
// SOURCES  errno(3), accept(2), send(2), recv(2), connect(2); Winsock's error codes.
#pragma once

#include <cstdint>
#include <system_error>

namespace tern {

enum class ErrorClass : std::uint8_t {
  none,
  would_block,    // there is nothing, or no room: an event tells when
  interrupted,    // the call did not come to it: at once again
  no_memory,      // the kernel's, for the moment: no event tells when it has some
  no_descriptor,  // the process or the system has as many as it may
  refused,        // for a datagram: an earlier one bounced, nothing is wrong with this one
  other,          // the socket's own trouble
};

// No fault of the socket: the same call may succeed a moment later.
constexpr bool is_passing(ErrorClass error) {
  return error == ErrorClass::would_block || error == ErrorClass::interrupted ||
         error == ErrorClass::no_memory;
}

// Trying again at once can only fail again, and the client waits in the backlog meanwhile.
constexpr bool is_lack_of_room(ErrorClass error) {
  return error == ErrorClass::no_memory || error == ErrorClass::no_descriptor;
}

// The same of what a poller has told.
inline bool is_lack_of_room(const std::error_code& error) {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system || error == std::errc::no_buffer_space ||
         error == std::errc::not_enough_memory;
}

}  // namespace tern
