// How a command ends: exit codes, and the error that becomes one line on standard error.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

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

}  // namespace tern::tool
