// Windows implementation of descriptors.hpp: it has no limit that a test could use up, and counting
// handles counts more than sockets. So the two calls that make and close sockets are the tests'
// own, put in by the linker (--wrap) where the program looks for them in the system's library.
#include <winsock2.h>

#include <atomic>

#include "tests/support/descriptors.hpp"

using OpenSocket = SOCKET(WSAAPI*)(int, int, int, LPWSAPROTOCOL_INFOW, GROUP, DWORD);
using CloseSocket = int(WSAAPI*)(SOCKET);

extern "C" {
extern OpenSocket __real___imp_WSASocketW;
extern CloseSocket __real___imp_closesocket;
}

namespace tern::test {
namespace {

std::atomic<std::size_t> open_count{0};
std::atomic<bool> is_exhausted{false};

SOCKET WSAAPI open_counted(int family, int type, int protocol, LPWSAPROTOCOL_INFOW information,
                           GROUP group, DWORD flags) {
  if (is_exhausted) {
    ::WSASetLastError(WSAEMFILE);
    return INVALID_SOCKET;
  }
  const SOCKET handle = __real___imp_WSASocketW(family, type, protocol, information, group, flags);
  if (handle != INVALID_SOCKET) ++open_count;
  return handle;
}

int WSAAPI close_counted(SOCKET handle) {
  const int result = __real___imp_closesocket(handle);
  if (result == 0) --open_count;
  return result;
}

}  // namespace

std::size_t open_descriptors() { return open_count; }

NoMoreDescriptors::NoMoreDescriptors() { is_exhausted = true; }
NoMoreDescriptors::~NoMoreDescriptors() { is_exhausted = false; }

}  // namespace tern::test

extern "C" {
extern OpenSocket __wrap___imp_WSASocketW;
extern CloseSocket __wrap___imp_closesocket;
OpenSocket __wrap___imp_WSASocketW = tern::test::open_counted;
CloseSocket __wrap___imp_closesocket = tern::test::close_counted;
}
