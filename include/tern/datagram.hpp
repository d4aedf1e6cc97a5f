// Datagram: one UDP message and whom it came from or goes to. A view: it owns nothing.
#pragma once

#include <cstddef>
#include <span>

#include "tern/endpoint.hpp"

namespace tern {

struct Datagram {
  std::span<const std::byte> bytes;  // may be empty: a zero-length datagram is data
  Endpoint peer;                     // Family::none means the peer that the socket is connected to
  bool truncated = false;  // received: longer than ReactorOptions::datagram_bytes, tail lost
};

}  // namespace tern
