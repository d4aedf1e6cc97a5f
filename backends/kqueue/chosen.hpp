// The build chose kqueue: it put this folder on the include path.
#pragma once

#include "backends/kqueue/kqueue.hpp"

namespace tern {
using Poller = kqueue::Poller;
}
