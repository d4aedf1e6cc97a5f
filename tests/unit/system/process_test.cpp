#include "tern/process.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

using namespace tern;

TEST_CASE("process: processor time is of work, and not of waiting") {
  const Duration before = processor_time();
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (processor_time() - before < std::chrono::milliseconds(100)) {
    REQUIRE(std::chrono::steady_clock::now() < patience);
  }
  const Duration worked = processor_time();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(processor_time() - worked < std::chrono::milliseconds(100));
}
