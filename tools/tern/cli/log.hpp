// The log of a command, on standard error: UTC time, level, message; or an object a line, as JSON.
// THREAD  Any.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace tern::tool {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// One line on standard error if `level` is asked for. Line breaks in `message` become spaces.
void log_line(LogLevel level, std::string_view message);
bool log_enabled(LogLevel level);

template <class... Arguments>
void log(LogLevel level, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  if (log_enabled(level)) log_line(level, fmt::format(text, std::forward<Arguments>(arguments)...));
}

// A line that was asked for by its own option (--stats, a progress line): whatever the log level.
void print_notice(std::string_view line);

// What --log-level, --quiet and --log-format say.
void set_log_level(LogLevel least);
void set_log_json(bool is_wanted);
std::string_view to_string(LogLevel level);

}  // namespace tern::tool
