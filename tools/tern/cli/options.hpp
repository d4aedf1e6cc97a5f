// Options with units and environment variables, as every command registers them.
//   THREAD  The one that parses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tern/time.hpp"
#include "tools/tern/cli/log.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tern::tool {

// --log-level, --log-format and --quiet; `standard` takes effect when the command is the one that
// was called.
std::vector<CLI::Option*> add_log_options(CLI::App& app, LogLevel standard = LogLevel::info);

// Call after a command's options are registered: its environment variables are read, and its
// standard log level set, only if it is the command that was called. (CLI11 would read those of
// every command, and let a value that is wrong for one stop all others.)
void finish_registration(CLI::App& app);

// Options with a unit. `target` holds the default, which help shows, and must outlive the parsing.
// The last one given counts. Each also reads the environment variable TERN_NAME, made from the
// first long name: --idle-timeout, TERN_IDLE_TIMEOUT.
CLI::Option* add_duration(CLI::App& app, const std::string& names, Duration& target,
                          const std::string& description, Duration smallest = Duration::zero());
CLI::Option* add_size(CLI::App& app, const std::string& names, std::size_t& target,
                      const std::string& description, std::size_t smallest = 0,
                      std::size_t largest = std::numeric_limits<std::size_t>::max());
CLI::Option* add_count(CLI::App& app, const std::string& names, std::uint64_t& target,
                       const std::string& description, std::uint64_t smallest = 0,
                       std::uint64_t largest = std::numeric_limits<std::uint64_t>::max());
// Any other option: `read` takes the text, and calls refuse() when it is wrong.
CLI::Option* add_text(CLI::App& app, const std::string& names, const std::string& type,
                      const std::string& standard, const std::string& description,
                      std::function<void(const std::string&)> read);

// "'text' is not KIND; write ADVICE", as CLI::ValidationError.
[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& kind, const std::string& advice);

// Gives the option its environment variable and returns it.
CLI::Option* with_environment(CLI::Option* option);

}  // namespace tern::tool
