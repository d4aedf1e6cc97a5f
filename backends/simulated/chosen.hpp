// The build's choice of a poller: the simulated one.
#pragma once

#include "backends/simulated/simulated.hpp"

namespace tern {

using Poller = simulated::Poller;

}  // namespace tern
