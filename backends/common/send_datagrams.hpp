// How a batch of datagrams is sent, in any world: what is retried, what is told, and when to stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/common/error_class.hpp"
#include "backends/poller.hpp"

namespace tern {

struct DatagramsTaken {
  std::size_t count = 0;
  ErrorClass stopped_by = ErrorClass::none;  // would_block or no_memory where not all were taken
};

// Offers datagrams until all are taken or there is no room. One that the kernel refuses is told and
// counts as taken; the bounce of an earlier one is told, and the present one tried once again.
//   send(rest)    sends the first few of them; returns how many, at least one, or minus an error
//   classify      what the error is
//   tell(error)   about one that was refused
template <class Send, class Classify, class Tell>
DatagramsTaken send_datagrams(std::span<const Datagram> datagrams, PollerCounters& counters,
                              Send send, Classify classify, Tell tell) {
  DatagramsTaken taken;
  bool is_retry = false;
  while (taken.count < datagrams.size()) {
    const int sent = send(datagrams.subspan(taken.count));
    if (sent > 0) {
      for (int i = 0; i < sent; ++i) counters.sent_bytes += datagrams[taken.count++].bytes.size();
      counters.sent_datagrams += static_cast<std::uint64_t>(sent);
      is_retry = false;
      continue;
    }
    const ErrorClass error = classify(-sent);
    if (error == ErrorClass::interrupted) continue;
    if (is_passing(error)) {
      taken.stopped_by = error;
      break;
    }
    tell(-sent);
    is_retry = error == ErrorClass::refused && !is_retry;
    if (!is_retry) ++taken.count;
  }
  return taken;
}

}  // namespace tern
