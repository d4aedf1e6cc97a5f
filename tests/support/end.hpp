// End: one attached socket as a test sees it: what was ordered of it, and what was reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/poller.hpp"
#include "tests/support/values.hpp"

namespace tern::test {

struct ReceivedDatagram {
  std::string bytes;
  Endpoint peer;
  bool truncated = false;
};

struct End final : Owner {
  // Nothing in the suite calls this, so a call comes from inside the poller: rule 5 is broken.
  void completed(const Completion&) override { ++called_back; }

  Channel channel;
  Socket socket;

  // Ordered and not yet finished or withdrawn.
  bool accepting = false;
  bool receiving = false;
  bool connecting = false;
  bool sending = false;  // a send or send_to that took less than it was offered
  bool closing = false;

  // Reported.
  bool connected = false;
  bool ended = false;
  bool closed = false;
  std::error_code connect_error;
  std::error_code receive_error;
  std::error_code send_error;
  std::vector<std::error_code> accept_errors;
  std::vector<std::error_code> datagram_errors;  // of receives and sends, in their order
  std::deque<Socket> accepted;                   // taken by the case, else closed by Loop
  std::vector<ReceivedDatagram> datagrams;
  std::string received;  // a stream's bytes, unless keep_bytes is false
  bool keep_bytes = true;
  std::uint64_t received_count = 0;
  std::uint64_t receives = 0;    // stream receive completions that had bytes
  std::uint64_t sends = 0;       // send completions
  std::uint64_t send_taken = 0;  // bytes or datagrams that they said were taken
  std::uint64_t completions = 0;
  int called_back = 0;

  // Loop::write() keeps what was not taken yet here; a block never moves once it was offered.
  std::deque<std::string> output;
  std::size_t output_taken = 0;  // of the first block
  bool failed() const { return receive_error || send_error; }
  // No byte will come any more.
  bool finished() const { return ended || receive_error; }

  // Called for each completion after it was checked and recorded.
  std::function<void(End&, const Completion&)> then;
};

}  // namespace tern::test
