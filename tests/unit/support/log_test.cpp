// The log's seam: lines go where the program says, and nowhere without it.
#include "src/support/log.hpp"

#include <doctest/doctest.h>

#include <string>

#include "src/support/error_text.hpp"

using namespace tern::support;

namespace {

std::string written;

void write(LogLevel level, std::string_view message) {
  written += std::to_string(static_cast<int>(level)) + std::string(message);
}

}  // namespace

TEST_CASE("log: a sink is given what is grave enough, and nobody anything without one") {
  CHECK_FALSE(log_enabled(LogLevel::error));
  log_line(LogLevel::error, "unheard");
  set_log_sink(write);
  log_line(LogLevel::debug, "unheard");
  log_line(LogLevel::info, "a");
  set_least_log_level(LogLevel::error);
  CHECK_FALSE(log_enabled(LogLevel::warning));
  log_line(LogLevel::warning, "unheard");
  log_line(LogLevel::error, "b");
  CHECK(written == "1a3b");
  set_least_log_level(LogLevel::info);
  set_log_sink(nullptr);
}

TEST_CASE("error text: a cause reads as a part of a sentence") {
  CHECK(describe(std::make_error_code(std::errc::connection_refused)) == "connection refused");
  CHECK(describe(std::make_error_code(std::errc::timed_out)) == "connection timed out");
}
