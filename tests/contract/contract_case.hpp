// How a contract case is written once and run on every backend.
//
//   CONTRACT_CASE(name)      a case of every world: `name.epoll`, `name.simulated`, ...
//   RULE_CASE(rule, name)    the same, and one of those that must catch the canary breaking `rule`
//
//   RULE_CASE(close_is_last, close_other_in_batch) {
//     Loop<P> loop;              // `P` is the backend's Poller, `run` the Case
//     ...
//   }
//
// A new backend is one more block below and one more line in TERN_ON_EVERY_BACKEND.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <string_view>

#include "backends/simulated/canary.hpp"
#include "backends/simulated/simulated.hpp"
#include "tests/contract/exceptions.hpp"
#include "tests/contract/worlds.hpp"
#include "tests/support/case.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/pattern.hpp"

#ifdef TERN_TEST_EPOLL
#include "backends/epoll/epoll.hpp"
#define TERN_ON_EPOLL(name) TERN_REGISTER_CASE(name, epoll, epoll, Kernel)
#else
#define TERN_ON_EPOLL(name)
#endif

#ifdef TERN_TEST_IO_URING
#include "backends/io_uring/io_uring.hpp"
#define TERN_ON_IO_URING(name) TERN_REGISTER_CASE(name, io_uring, io_uring, Kernel)
#else
#define TERN_ON_IO_URING(name)
#endif

#ifdef TERN_TEST_KQUEUE
#include "backends/kqueue/kqueue.hpp"
#define TERN_ON_KQUEUE(name) TERN_REGISTER_CASE(name, kqueue, kqueue, Kernel)
#else
#define TERN_ON_KQUEUE(name)
#endif

#ifdef TERN_TEST_IOCP
#include "backends/iocp/iocp.hpp"
#include "tests/contract/worlds_iocp.hpp"
#define TERN_ON_IOCP(name)                     \
  TERN_REGISTER_CASE(name, iocp, iocp, Kernel) \
  TERN_REGISTER_CASE(name, iocp_queued, iocp, AlwaysQueued)
#else
#define TERN_ON_IOCP(name)
#endif

#define TERN_ON_EVERY_BACKEND(name)                                              \
  TERN_ON_EPOLL(name)                                                            \
  TERN_ON_IO_URING(name)                                                         \
  TERN_ON_KQUEUE(name)                                                           \
  TERN_ON_IOCP(name)                                                             \
  TERN_REGISTER_CASE(name, simulated, simulated, Simulated)                      \
  TERN_REGISTER_CASE(name, simulated_completion, simulated, SimulatedCompletion) \
  TERN_REGISTER_CASE(name, simulated_unkind, simulated, SimulatedUnkind)

namespace tern::test {

using CaseBody = std::function<void(Case&)>;

// Runs a case under doctest in its world, unless the exception list names it.
template <class World>
void run_registered(std::string_view name, std::string_view backend, const CaseBody& body) {
  if (const std::string_view reason = exception_for(name, backend); !reason.empty()) {
    MESSAGE(std::string(name), ".", std::string(backend), " is left out: ", std::string(reason));
    return;
  }
  Case run(name, backend);
  const World world(run.seed());
  const Outcome outcome = run_case(run, body);
  if (outcome.verdict == Verdict::skipped) MESSAGE(outcome.message);
  CHECK_MESSAGE(outcome.verdict != Verdict::failed, outcome.message);
}

// The cases that know a rule, for the canary. Returns something to initialise a constant with.
bool register_rule_case(canary::Rule rule, std::string_view name, CaseBody body);

}  // namespace tern::test

#define TERN_REGISTER_CASE(name, label, backend, world)                                       \
  TEST_CASE(#name "." #label) {                                                               \
    ::tern::test::run_registered<::tern::test::worlds::world>(#name, #label,                  \
                                                              name<::tern::backend::Poller>); \
  }

#define CONTRACT_CASE(name)              \
  template <class P>                     \
  static void name(::tern::test::Case&); \
  TERN_ON_EVERY_BACKEND(name)            \
  template <class P>                     \
  static void name([[maybe_unused]] ::tern::test::Case& run)

#define RULE_CASE(rule, name)                                                          \
  template <class P>                                                                   \
  static void name(::tern::test::Case&);                                               \
  TERN_ON_EVERY_BACKEND(name)                                                          \
  static const bool canary_##name [[maybe_unused]] = ::tern::test::register_rule_case( \
      ::tern::canary::Rule::rule, #name, name<::tern::canary::Poller>);                \
  template <class P>                                                                   \
  static void name([[maybe_unused]] ::tern::test::Case& run)
