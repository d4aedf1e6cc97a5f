#include "backends/iocp/port.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <system_error>

#include "backends/socket/winsock.hpp"

namespace tern::iocp {
namespace {

std::atomic<bool> skipping_is_allowed{true};

template <class Function>
int find_extension(SOCKET handle, GUID name, Function& function) {
  DWORD size = 0;
  const int result = ::WSAIoctl(handle, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name,
                                &function, sizeof function, &size, nullptr, nullptr);
  return result == 0 ? 0 : ::WSAGetLastError();
}

// Rounded up, so that the wait is never early; a limit beyond 49 days waits that long and looks.
DWORD milliseconds_at_least(Duration limit) {
  if (limit == forever) return INFINITE;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(limit).count();
  return static_cast<DWORD>(std::clamp<std::int64_t>(rounded, 0, INFINITE - 1));
}

[[noreturn]] void fail(int error) {
  throw std::system_error(winsock::error_from(error), "cannot set up a completion port");
}

}  // namespace

Port::Port() : port_(nullptr), may_skip_(winsock::providers_are_plain()) {
  const SOCKET asked = winsock::open_socket(Family::ipv4, SOCK_STREAM);
  if (asked == INVALID_SOCKET) fail(::WSAGetLastError());
  int error = find_extension(asked, WSAID_ACCEPTEX, accept_ex_);
  if (error == 0) error = find_extension(asked, WSAID_CONNECTEX, connect_ex_);
  ::closesocket(asked);
  if (error != 0) fail(error);
  port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1);
  if (port_ == nullptr) fail(static_cast<int>(::GetLastError()));
}

Port::~Port() { ::CloseHandle(port_); }

void Port::allow_skipping(bool allowed) { skipping_is_allowed = allowed; }

int Port::watch(SOCKET handle) {
  const HANDLE port = ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(handle), port_, 0, 0);
  return port != nullptr ? 0 : static_cast<int>(::GetLastError());
}

bool Port::skip_packets(SOCKET handle) {
  return may_skip_ && skipping_is_allowed &&
         ::SetFileCompletionNotificationModes(
             reinterpret_cast<HANDLE>(handle),
             FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE) != 0;
}

void Port::wait(Duration limit) {
  at_ = 0;
  ULONG count = 0;
  // Not alertable: a call queued to this thread must not end the wait. Failing means that the limit
  // has passed.
  if (::GetQueuedCompletionStatusEx(port_, packets_.data(), packets_max, &count,
                                    milliseconds_at_least(limit), FALSE) == 0) {
    count = 0;
  }
  count_ = count;
}

bool Port::post() { return ::PostQueuedCompletionStatus(port_, 0, 0, nullptr) != 0; }

}  // namespace tern::iocp
