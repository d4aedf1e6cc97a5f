// A case against the epoll backend with failing system calls. Whatever fails: nothing crashes, no
// exception escapes, and there are as many descriptors afterwards as before.
#pragma once

#include <doctest/doctest.h>

#include <cerrno>

#include "backends/epoll/epoll.hpp"
#include "tests/faults/injector.hpp"
#include "tests/support/backend_of.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/pattern.hpp"

namespace tern::faults {

using namespace tern::test;

inline void run_fault_case(const char* name, void (*body)(Case&)) {
  Case run(name, "epoll");
  const World world(backend_of<epoll::Poller>());
  check_case(run, [body](Case& running) {
    const std::size_t before = open_descriptors();
    body(running);
    EXPECT_EQUAL(open_descriptors(), before);
  });
}

inline std::error_code system_error(int errno_value) {
  return {errno_value, std::system_category()};
}

}  // namespace tern::faults

#define FAULT_CASE(name)                                            \
  static void name(::tern::test::Case&);                            \
  TEST_CASE(#name) { ::tern::faults::run_fault_case(#name, name); } \
  static void name([[maybe_unused]] ::tern::test::Case& run)
