// Reasons of a connection's end: names.
#include "tern/close_reason.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using tern::CloseReason;

TEST_CASE("close reasons: each reason has a name of its own") {
  std::set<std::string> names;
  for (std::size_t i = 0; i < tern::close_reason_count; ++i) {
    names.insert(std::string(tern::to_string(static_cast<CloseReason>(i))));
  }
  CHECK(names.size() == tern::close_reason_count);
  CHECK_FALSE(names.contains("unknown"));
  CHECK(tern::to_string(CloseReason::idle_timeout) == "idle_timeout");
  CHECK(tern::to_string(static_cast<CloseReason>(200)) == "unknown");
}
