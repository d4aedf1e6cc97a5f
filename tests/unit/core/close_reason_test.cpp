// Reasons of a connection's end: names and meanings.
#include "tern/close_reason.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using tern::CloseReason;

TEST_CASE("close reasons: each reason has a name of its own") {
  std::set<std::string> names;
  std::set<std::string> meanings;
  for (std::size_t i = 0; i < tern::close_reason_count; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    names.insert(std::string(tern::to_string(reason)));
    meanings.insert(std::string(tern::info_of(reason).meaning));
  }
  CHECK(names.size() == tern::close_reason_count);
  CHECK_FALSE(names.contains("unknown"));
  CHECK(meanings.size() == tern::close_reason_count);
  CHECK_FALSE(meanings.contains(""));
  CHECK(tern::to_string(CloseReason::idle_timeout) == "idle_timeout");
  CHECK(tern::to_string(static_cast<CloseReason>(200)) == "unknown");
}
