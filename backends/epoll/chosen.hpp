// The build chose epoll: it put this folder on the include path.
#pragma once

#include "backends/epoll/epoll.hpp"

namespace tern {
using Poller = epoll::Poller;
}
