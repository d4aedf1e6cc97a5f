// The log's seam: who has something to say about its work writes lines here, and the program says
// where they go.
//
//   Without a sink nothing is written: standard error belongs to the program.
//   THREAD  any, but set_log_sink() before there are others. A sink takes lines of several threads.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern::support {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

using LogSink = void (*)(LogLevel level, std::string_view message);

// Null: nothing is written, as at first.
void set_log_sink(LogSink sink);
// What is less grave is not written; at first LogLevel::info.
void set_least_log_level(LogLevel level);

// Whether a line of this level would be written.
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view message);

}  // namespace tern::support
