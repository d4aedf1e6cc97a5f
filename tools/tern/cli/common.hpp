// What the commands share: exit codes, errors, the log, and options with units.
//
//   Standard output carries only what a command promises; everything else goes to standard error:
//   log lines (UTC time, level, message) and, when a command fails, one line `tern echo: ...`.
//   The log may be used from any thread; the rest belongs to the thread that parses.
#pragma once

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "tern/time.hpp"

namespace tern::tool {

// The codes of sysexits(3) where they fit, so that service managers can tell a wrong command line,
// which a restart does not heal, from an address that is taken now and free later.
enum ExitCode : int {
  exit_success = 0,
  exit_failure = 1,         // it was tried and failed in the middle
  exit_usage = 64,          // the command line is wrong
  exit_unavailable = 69,    // an address cannot be bound, reached or resolved
  exit_internal = 70,       // a bug
  exit_system = 71,         // a limit of the operating system: descriptors, memory, threads
  exit_cannot_create = 73,  // a file exists, or cannot be created
  exit_configuration = 78,  // a configuration file is wrong
};

// Ends the command: one line on standard error, and the exit code.
class CommandError : public std::runtime_error {
 public:
  CommandError(ExitCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// A failed set-up call (listen, bind, connect, resolve) as a CommandError: what and where, the
// cause, and, where it is known, what would be right. Exit code 71 for exhausted resources,
// otherwise 69.
CommandError unavailable(const std::string& what, const std::error_code& cause);
CommandError unavailable(const std::system_error& error);
// "connection refused": the system's text in lower case, as part of a sentence.
std::string describe(const std::error_code& error);

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

// `tern` as the user called it, for examples that can be pasted: "./build/tern".
const std::string& program();
void set_program(std::string name);

// Writes all of `text` to standard output at once; throws CommandError when it cannot be written.
void print(std::string_view text);

// --log-level and --quiet; `standard` takes effect when the command is the one that was called.
void add_log_options(CLI::App& app, LogLevel standard = LogLevel::info);

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
// Any other option: `read` takes the text and throws CLI::ValidationError(option, problem).
CLI::Option* add_text(CLI::App& app, const std::string& names, const std::string& type,
                      const std::string& standard, const std::string& description,
                      std::function<void(const std::string&)> read);

// Gives the option its environment variable and returns it.
CLI::Option* with_environment(CLI::Option* option);

}  // namespace tern::tool
