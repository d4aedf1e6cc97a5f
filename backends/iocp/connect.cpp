// Connecting by ConnectEx.
#include "backends/iocp/iocp.hpp"

// Needs the types of Winsock's own header.
#include <mstcpip.h>

namespace tern::iocp {
namespace {

// Windows repeats a refused attempt for two seconds. On loopback nothing can have been lost, so it
// is told not to; best effort, from Windows 10 on.
void refuse_fast(SOCKET handle) {
  TCP_INITIAL_RTO_PARAMETERS parameters{};
  parameters.Rtt = TCP_INITIAL_RTO_DEFAULT_RTT;
  parameters.MaxSynRetransmissions = TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS;
  DWORD size = 0;
  (void)::WSAIoctl(handle, SIO_TCP_INITIAL_RTO, &parameters, sizeof parameters, nullptr, 0, &size,
                   nullptr, nullptr);
}

// ConnectEx wants a bound socket. One with a source of its own is bound already.
int bind_anywhere(SOCKET handle, Family family) {
  const winsock::Address anywhere(winsock::wildcard(family));
  if (::bind(handle, anywhere.get(), anywhere.size) == 0) return 0;
  const int error = ::WSAGetLastError();
  return error == WSAEINVAL ? 0 : error;
}

// Until then the socket knows neither its addresses nor how to be shut down.
int become_connected(SOCKET handle) {
  const int result = ::setsockopt(handle, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0);
  return result == 0 ? 0 : ::WSAGetLastError();
}

}  // namespace

void Poller::connect(Channel channel, const Endpoint& endpoint) {
  Slot& connecting = slots_.checked(channel);
  if (endpoint.is_loopback()) refuse_fast(connecting.handle);
  if (const int error = bind_anywhere(connecting.handle, endpoint.family()); error != 0) {
    return queue_completion(channel, Operation::connect, error);
  }
  const winsock::Address address(endpoint);
  OverlappedOp& op = begin(connecting, channel, Operation::connect);
  const BOOL connected = port_.connect_ex()(connecting.handle, address.get(), address.size, nullptr,
                                            0, nullptr, &op.overlapped);
  const int error = connected ? 0 : ::WSAGetLastError();
  switch (begun(connecting, op, error)) {
    case Begun::pending:
      break;
    case Begun::done:
      queue_completion(channel, Operation::connect, become_connected(connecting.handle));
      break;
    case Begun::failed:
      queue_completion(channel, Operation::connect, error);
      break;
  }
}

bool Poller::finished_connect(Slot& slot, Channel channel, int error, Completion& completion) {
  if (error == 0) error = become_connected(slot.handle);
  begin_completion(completion, Operation::connect, slot, channel, counters_);
  if (error != 0) completion.error = winsock::error_from(error);
  return true;
}

}  // namespace tern::iocp
