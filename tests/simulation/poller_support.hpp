// What the tests of the simulated network share: a Loop on it, and a case's verdict as a check.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "backends/simulated/simulated.hpp"
#include "tests/support/case.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/pattern.hpp"

namespace tern::test {

using simulated::Faults;
using simulated::Network;
using simulated::Style;
using SimulatedLoop = Loop<simulated::Poller>;

// Runs a body with a seed of its own; a failure names the seed that replays it.
inline void check_case(const char* name, const std::function<void(Case&)>& body,
                       std::uint64_t seed = test_seed()) {
  Case run(name, "simulated", seed);
  const Outcome outcome = run_case(run, body);
  CHECK_MESSAGE(outcome.verdict == Verdict::passed, outcome.message);
}

}  // namespace tern::test

#define SIMULATION_CASE(name)                                 \
  static void name(::tern::test::Case&);                      \
  TEST_CASE(#name) { ::tern::test::check_case(#name, name); } \
  static void name([[maybe_unused]] ::tern::test::Case& run)
