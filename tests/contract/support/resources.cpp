#include "tests/contract/support/resources.hpp"

#include "backends/simulated/canary.hpp"
#include "backends/simulated/simulated.hpp"
#include "tests/support/world.hpp"

namespace tern::test {
namespace {

bool in_memory() {
  const std::string_view name = World::backend().name;
  return name == simulated::Poller::name || name == canary::Poller::name;
}

simulated::Network& network() { return simulated::Network::current(); }

}  // namespace

std::size_t open_sockets() { return in_memory() ? network().open_sockets() : open_descriptors(); }

NoMoreSockets::NoMoreSockets() {
  if (!in_memory()) {
    kernels_.emplace();
    return;
  }
  network_max_before_ = network().faults().sockets_max;
  network().faults().sockets_max = network().open_sockets();
}

NoMoreSockets::~NoMoreSockets() {
  if (!kernels_) network().faults().sockets_max = network_max_before_;
}

}  // namespace tern::test
