// Port: the queue of finished operations, and what Winsock offers for it beside its plain calls.
//
// Sources: Microsoft's reference of CreateIoCompletionPort, GetQueuedCompletionStatusEx,
// PostQueuedCompletionStatus, SetFileCompletionNotificationModes, AcceptEx, ConnectEx.
#pragma once

#include <winsock2.h>

// Needs the types of the one above.
#include <mswsock.h>

#include <array>
#include <cstddef>

#include "backends/poller.hpp"

namespace tern::iocp {

class Port {
 public:
  // Throws std::system_error when there is no port to be had.
  Port();
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // What finishes on the socket comes to this port from now on. 0 or an error.
  int watch(SOCKET handle);

  // Asks that an operation which is done at once brings no packet. True if so: only then its call's
  // own answer counts. Only for streams: with datagrams there were systems that lost packets.
  bool skip_packets(SOCKET handle);

  // Waits until there is a packet, a wake or the limit has passed, and takes a batch of packets.
  void wait(Duration limit);

  // The next packet of the batch, or nothing. A wake is a packet without an operation.
  const OVERLAPPED_ENTRY* next() { return at_ < count_ ? &packets_[at_++] : nullptr; }
  bool has_packets() const { return at_ < count_; }

  // A packet of our own, from any thread. False if there was no memory for it.
  bool post();

  LPFN_ACCEPTEX accept_ex() const { return accept_ex_; }
  LPFN_CONNECTEX connect_ex() const { return connect_ex_; }

  // For tests: with false every operation brings a packet, as it does where providers are layered.
  static void allow_skipping(bool allowed);

 private:
  static constexpr std::size_t packets_max = 256;

  HANDLE port_;
  bool may_skip_;
  LPFN_ACCEPTEX accept_ex_ = nullptr;
  LPFN_CONNECTEX connect_ex_ = nullptr;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  std::array<OVERLAPPED_ENTRY, packets_max> packets_;
};

}  // namespace tern::iocp
