// How a command ends: exit codes, and the error that becomes one line on standard error.
#pragma once

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

// As help and manual have it; nothing for what is none of these codes.
constexpr std::string_view meaning_of(ExitCode code) {
  switch (code) {
    case exit_success:
      return "done; for a server: drained";
    case exit_failure:
      return "it was tried and failed in the middle: connection reset, standard output full or "
             "closed";
    case exit_usage:
      return "the command line is wrong; a restart does not heal it";
    case exit_unavailable:
      return "an address is in use, not permitted or not reachable, its name cannot be resolved, "
             "or "
             "who answers cannot prove to be it";
    case exit_internal:
      return "a bug in tern";
    case exit_system:
      return "a limit of the system: descriptors, memory, threads";
    case exit_cannot_create:
      return "a file that was to be written exists, or cannot be created";
    case exit_configuration:
      return "a configuration file, a certificate, a key or a data directory cannot be used";
  }
  return {};
}

struct ExitMeaning {
  ExitCode code;
  std::string_view meaning = {};
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
using support::describe;

}  // namespace tern::tool
