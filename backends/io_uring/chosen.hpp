// The build chose io_uring: it put this folder on the include path.
#pragma once

#include "backends/io_uring/io_uring.hpp"

namespace tern {
using Poller = io_uring::Poller;
}
