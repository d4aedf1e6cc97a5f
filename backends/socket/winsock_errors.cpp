#include "backends/socket/winsock_errors.hpp"

#include <winsock2.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace tern::winsock {
namespace {

struct Meaning {
  int code;
  std::errc condition;  // 0: none, the error is of its own kind
  const char* text;
  // Whether and when the same call may succeed.
  ErrorClass error_class = ErrorClass::other;
};

constexpr std::errc no_condition{};

// A peer that is gone is told in many ways: by Winsock, by the system when an operation that was
// under way ends, by the transport giving up. They are one thing to a caller.
// Of a datagram socket a reset is an earlier datagram that bounced.
constexpr std::array meanings = {
    Meaning{ERROR_NOT_ENOUGH_MEMORY, std::errc::not_enough_memory, "Cannot allocate memory",
            ErrorClass::no_memory},
    Meaning{ERROR_OUTOFMEMORY, std::errc::not_enough_memory, "Cannot allocate memory",
            ErrorClass::no_memory},
    Meaning{ERROR_INVALID_HANDLE, std::errc::bad_file_descriptor, "Bad handle"},
    Meaning{ERROR_INVALID_PARAMETER, std::errc::invalid_argument, "Invalid argument"},
    Meaning{ERROR_TOO_MANY_OPEN_FILES, std::errc::too_many_files_open, "Too many open files",
            ErrorClass::no_descriptor},
    Meaning{ERROR_ACCESS_DENIED, std::errc::permission_denied, "Permission denied"},
    Meaning{ERROR_NETNAME_DELETED, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{ERROR_UNEXP_NET_ERR, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{ERROR_BROKEN_PIPE, std::errc::broken_pipe, "Broken pipe"},
    Meaning{ERROR_SEM_TIMEOUT, std::errc::timed_out, "Connection timed out"},
    Meaning{ERROR_OPERATION_ABORTED, std::errc::operation_canceled, "Operation canceled",
            ErrorClass::interrupted},
    Meaning{ERROR_MORE_DATA, std::errc::message_size, "Message too long"},
    Meaning{ERROR_NO_SYSTEM_RESOURCES, std::errc::no_buffer_space, "No buffer space available",
            ErrorClass::no_memory},
    Meaning{ERROR_WORKING_SET_QUOTA, std::errc::no_buffer_space, "No buffer space available",
            ErrorClass::no_memory},
    Meaning{ERROR_CONNECTION_REFUSED, std::errc::connection_refused, "Connection refused"},
    Meaning{ERROR_GRACEFUL_DISCONNECT, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{ERROR_ADDRESS_ALREADY_ASSOCIATED, std::errc::address_in_use, "Address already in use"},
    Meaning{ERROR_CONNECTION_ABORTED, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{ERROR_NETWORK_UNREACHABLE, std::errc::network_unreachable, "Network is unreachable"},
    Meaning{ERROR_HOST_UNREACHABLE, std::errc::host_unreachable, "No route to host"},
    Meaning{ERROR_PORT_UNREACHABLE, std::errc::connection_refused, "Connection refused",
            ErrorClass::refused},
    Meaning{WSAEINTR, std::errc::interrupted, "Interrupted call", ErrorClass::interrupted},
    Meaning{WSAEBADF, std::errc::bad_file_descriptor, "Bad handle"},
    Meaning{WSAEACCES, std::errc::permission_denied, "Permission denied"},
    Meaning{WSAEFAULT, std::errc::bad_address, "Bad address"},
    Meaning{WSAEINVAL, std::errc::invalid_argument, "Invalid argument"},
    Meaning{WSAEMFILE, std::errc::too_many_files_open, "Too many open files",
            ErrorClass::no_descriptor},
    Meaning{WSAEWOULDBLOCK, std::errc::operation_would_block, "Operation would block",
            ErrorClass::would_block},
    Meaning{WSAEINPROGRESS, std::errc::operation_in_progress, "Operation now in progress"},
    Meaning{WSAEALREADY, std::errc::connection_already_in_progress,
            "Operation already in progress"},
    Meaning{WSAENOTSOCK, std::errc::not_a_socket, "Not a socket"},
    Meaning{WSAEDESTADDRREQ, std::errc::destination_address_required,
            "Destination address required"},
    Meaning{WSAEMSGSIZE, std::errc::message_size, "Message too long"},
    Meaning{WSAENOPROTOOPT, std::errc::no_protocol_option, "Option not known here"},
    Meaning{WSAEPROTONOSUPPORT, std::errc::protocol_not_supported, "Protocol not supported"},
    Meaning{WSAEOPNOTSUPP, std::errc::operation_not_supported, "Operation not supported"},
    Meaning{WSAEAFNOSUPPORT, std::errc::address_family_not_supported,
            "Address family not supported"},
    Meaning{WSAEADDRINUSE, std::errc::address_in_use, "Address already in use"},
    Meaning{WSAEADDRNOTAVAIL, std::errc::address_not_available, "Cannot assign requested address"},
    Meaning{WSAENETDOWN, std::errc::network_down, "Network is down"},
    Meaning{WSAENETUNREACH, std::errc::network_unreachable, "Network is unreachable"},
    Meaning{WSAENETRESET, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{WSAECONNABORTED, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{WSAECONNRESET, std::errc::connection_reset, "Connection reset by peer",
            ErrorClass::refused},
    Meaning{WSAEDISCON, std::errc::connection_reset, "Connection reset by peer"},
    Meaning{WSAENOBUFS, std::errc::no_buffer_space, "No buffer space available",
            ErrorClass::no_memory},
    Meaning{WSAEISCONN, std::errc::already_connected, "Already connected"},
    Meaning{WSAENOTCONN, std::errc::not_connected, "Not connected"},
    Meaning{WSAESHUTDOWN, std::errc::broken_pipe, "Broken pipe"},
    Meaning{WSAETIMEDOUT, std::errc::timed_out, "Connection timed out"},
    Meaning{WSAECONNREFUSED, std::errc::connection_refused, "Connection refused",
            ErrorClass::refused},
    Meaning{WSAEHOSTUNREACH, std::errc::host_unreachable, "No route to host"},
    Meaning{WSASYSNOTREADY, no_condition, "The network is not ready"},
    Meaning{WSAVERNOTSUPPORTED, no_condition, "Winsock 2.2 is not there"},
    Meaning{WSANOTINITIALISED, no_condition, "Winsock is not started"},
    Meaning{WSATYPE_NOT_FOUND, no_condition, "Service not known"},
    Meaning{WSAHOST_NOT_FOUND, no_condition, "Name or service not known"},
    Meaning{WSATRY_AGAIN, no_condition, "Temporary failure in name resolution"},
    Meaning{WSANO_RECOVERY, no_condition, "Non-recoverable failure in name resolution"},
    Meaning{WSANO_DATA, no_condition, "No address associated with hostname"},
};

const Meaning* meaning_of(int code) {
  const auto* const found = std::find_if(meanings.begin(), meanings.end(),
                                         [code](const Meaning& each) { return each.code == code; });
  return found == meanings.end() ? nullptr : found;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "winsock"; }

  std::string message(int code) const override {
    const Meaning* const meaning = meaning_of(code);
    return meaning != nullptr ? meaning->text : "Windows error " + std::to_string(code);
  }

  std::error_condition default_error_condition(int code) const noexcept override {
    const Meaning* const meaning = meaning_of(code);
    if (meaning == nullptr) return std::make_error_condition(std::errc::io_error);
    if (meaning->condition == no_condition) return {code, *this};
    return std::make_error_condition(meaning->condition);
  }
};

}  // namespace

ErrorClass classify(int code) {
  if (code == 0) return ErrorClass::none;
  const Meaning* const meaning = meaning_of(code);
  return meaning != nullptr ? meaning->error_class : ErrorClass::other;
}

const std::error_category& error_category() {
  static const Category category;
  return category;
}

}  // namespace tern::winsock
