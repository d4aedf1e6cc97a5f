// The worlds of the simulated core: a quiet network in the manner of either kind of kernel.
#include "backends/simulated/network.hpp"
#include "tests/support/stage.hpp"

namespace tern::test {

const bool is_simulated = true;

void in_each_world(void (*body)()) {
  for (const auto style : {simulated::Style::readiness, simulated::Style::completion}) {
    const World world(core_backend(), std::make_shared<simulated::Network>(
                                          test_seed(), simulated::Faults::none(), style));
    INFO("sends finish later: ", style == simulated::Style::completion);
    body();
  }
}

}  // namespace tern::test
