// The world of a kernel: it is there without being made.
#include "tests/support/stage.hpp"

namespace tern::test {

const bool is_simulated = false;

void in_each_world(void (*body)()) {
  const World world(core_backend());
  body();
}

}  // namespace tern::test
