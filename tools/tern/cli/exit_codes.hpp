// How a command ends: exit codes, and the error that becomes one line on standard error.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "src/support/error_text.hpp"

namespace tern::tool {

// The codes of sysexits(3) where they fit, so that service managers can tell a wrong command line,
// which a restart does not heal, from an address that is taken now and free later.
enum ExitCode : int {
  exit_success = 0,
  exit_failure = 1,
  exit_usage = 64,
  exit_unavailable = 69,
  exit_internal = 70,
  exit_system = 71,
  exit_cannot_create = 73,
  exit_configuration = 78,
};

struct ExitMeaning {
  ExitCode code;
  std::string_view meaning = {};
};

// As help and manual have them.
inline constexpr std::array<ExitMeaning, 8> exit_meanings{{
    {exit_success, "done; for a server: drained"},
    {exit_failure,
     "it was tried and failed in the middle: connection reset, standard output full or closed"},
    {exit_usage, "the command line is wrong; a restart does not heal it"},
    {exit_unavailable,
     "an address is in use, not permitted or not reachable, its name cannot be resolved, or who "
     "answers cannot prove to be it"},
    {exit_internal, "a bug in tern"},
    {exit_system, "a limit of the system: descriptors, memory, threads"},
    {exit_cannot_create, "a file that was to be written exists, or cannot be created"},
    {exit_configuration,
     "a configuration file, a certificate, a key or a data directory cannot be used"},
}};

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
using support::describe;

}  // namespace tern::tool
