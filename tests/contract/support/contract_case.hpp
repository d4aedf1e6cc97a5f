// How a contract case is written once and run on every backend; README.md is its page.
//
//   CONTRACT_CASE(name)      a case of every world: `name.epoll`, `name.simulated`, ...
//   RULE_CASE(rule, name)    the same, and one of those that must catch the canary breaking `rule`
//
//   RULE_CASE(close_is_last, close_other_in_batch) {
//     Loop loop;                 // on the poller of the world; `run` is the Case
//     ...
//   }
//
// A new backend is one more block below, one more line in TERN_ON_EVERY_BACKEND and one more world.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "backends/simulated/canary.hpp"
#include "tests/contract/support/worlds.hpp"
#include "tests/support/case.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/pattern.hpp"

#ifdef TERN_TEST_EPOLL
#define TERN_ON_EPOLL(name) TERN_REGISTER_CASE(name, epoll)
#else
#define TERN_ON_EPOLL(name)
#endif

#ifdef TERN_TEST_IO_URING
#define TERN_ON_IO_URING(name) TERN_REGISTER_CASE(name, io_uring)
#else
#define TERN_ON_IO_URING(name)
#endif

#ifdef TERN_TEST_KQUEUE
#define TERN_ON_KQUEUE(name) TERN_REGISTER_CASE(name, kqueue)
#else
#define TERN_ON_KQUEUE(name)
#endif

#ifdef TERN_TEST_IOCP
#define TERN_ON_IOCP(name)       \
  TERN_REGISTER_CASE(name, iocp) \
  TERN_REGISTER_CASE(name, iocp_queued)
#else
#define TERN_ON_IOCP(name)
#endif

#define TERN_ON_EVERY_BACKEND(name)              \
  TERN_ON_EPOLL(name)                            \
  TERN_ON_IO_URING(name)                         \
  TERN_ON_KQUEUE(name)                           \
  TERN_ON_IOCP(name)                             \
  TERN_REGISTER_CASE(name, simulated)            \
  TERN_REGISTER_CASE(name, simulated_completion) \
  TERN_REGISTER_CASE(name, simulated_unkind)

namespace tern::test {

using CaseBody = void (*)(Case&);

// Runs a case under doctest in a world of that name, unless the exception list names it.
void run_registered(std::string_view name, std::string_view world_name, MakeWorld make_world,
                    CaseBody body);

// The cases that know a rule, for the canary. Returns something to initialise a constant with.
bool register_rule_case(canary::Rule rule, std::string_view name, CaseBody body);

}  // namespace tern::test

#define TERN_REGISTER_CASE(name, world)                                              \
  TEST_CASE(#name "." #world) {                                                      \
    ::tern::test::run_registered(#name, #world, ::tern::test::worlds::world, &name); \
  }

#define CONTRACT_CASE(name)              \
  static void name(::tern::test::Case&); \
  TERN_ON_EVERY_BACKEND(name)            \
  static void name([[maybe_unused]] ::tern::test::Case& run)

#define RULE_CASE(rule, name)                                                     \
  static void name(::tern::test::Case&);                                          \
  TERN_ON_EVERY_BACKEND(name)                                                     \
  static const bool canary_##name [[maybe_unused]] =                              \
      ::tern::test::register_rule_case(::tern::canary::Rule::rule, #name, &name); \
  static void name([[maybe_unused]] ::tern::test::Case& run)
