// The second world of IOCP: what is done at once brings a packet all the same.
#pragma once

#include "backends/iocp/port.hpp"

namespace tern::test::worlds {

// As where a layered socket provider forbids to skip packets, or the system does not know how to.
class AlwaysQueued {
 public:
  AlwaysQueued() { iocp::Port::allow_skipping(false); }
  ~AlwaysQueued() { iocp::Port::allow_skipping(true); }
  AlwaysQueued(const AlwaysQueued&) = delete;
  AlwaysQueued& operator=(const AlwaysQueued&) = delete;
};

}  // namespace tern::test::worlds
