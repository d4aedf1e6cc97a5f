// The log of a command, on standard error: UTC time, level, message; or an object a line, as JSON.
// THREAD  Any.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "src/support/log.hpp"

namespace tern::tool {

using support::log_enabled;
using support::log_line;
using support::LogLevel;

// From here on a line of the log is one of standard error, if its level is asked for. Line breaks
// in a message become spaces.
void log_to_standard_error();

template <class... Arguments>
void log(LogLevel level, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  if (log_enabled(level)) log_line(level, fmt::format(text, std::forward<Arguments>(arguments)...));
}

// A line that was asked for by its own option (--stats, a progress line): whatever the log level.
void print_notice(std::string_view line);

// What --log-format says.
void set_log_json(bool is_wanted);
std::string_view to_string(LogLevel level);

}  // namespace tern::tool
