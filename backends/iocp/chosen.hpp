// The build chose IOCP: it put this folder on the include path.
#pragma once

#include "backends/iocp/iocp.hpp"

namespace tern {
using Poller = iocp::Poller;
}
