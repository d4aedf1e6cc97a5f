// What the tests of the simulated network share: its world, and a case's verdict as a check.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "backends/simulated/simulated.hpp"
#include "tests/support/backend_of.hpp"
#include "tests/support/case.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/pattern.hpp"

namespace tern::test {

using simulated::Faults;
using simulated::Network;
using simulated::Style;

// Runs a body with a seed of its own; a failure names the seed that replays it. The networks are
// the body's: pollers live on the one that it made last.
inline void run_simulated(const char* name, const std::function<void(Case&)>& body,
                          std::uint64_t seed = test_seed()) {
  Case run(name, "simulated", seed);
  const World world(backend_of<simulated::Poller>());
  check_case(run, body);
}

}  // namespace tern::test

#define SIMULATION_CASE(name)                                    \
  static void name(::tern::test::Case&);                         \
  TEST_CASE(#name) { ::tern::test::run_simulated(#name, name); } \
  static void name([[maybe_unused]] ::tern::test::Case& run)
