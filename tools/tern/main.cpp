// tern: the command. Finds the subcommand, runs it and turns whatever went wrong into one line on
// standard error and an exit code (cli/exit_codes.hpp).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/system/console.hpp"
#include "tern/reactor.hpp"
#include "tern/tls.hpp"
#include "tern/version.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/cli/suggestion.hpp"
#include "tools/tern/commands.hpp"

namespace tern::tool {
namespace {

struct Command {
  const char* name;
  const char* description;
  void (*add)(CLI::App& app, int& exit_code);
};

constexpr std::array<Command, 7> commands{{
    {"echo", "A server that sends back what it receives, over TCP, TLS, UDP and Unix sockets.",
     add_echo},
    {"chat", "A chat server: rooms and names, for nc, telnet and tern connect.", add_chat},
    {"connect", "A line client: what you type is sent, what comes is printed.", add_connect},
    {"load", "Measure an echo server or a chat: throughput, latency, every byte verified.",
     add_load},
    {"compare", "Compare results of load: faster, slower, or not distinguishable.", add_compare},
    {"cert", "A certificate for development, and the authority that signed it.", add_cert},
    {"demo", "An echo server and a chat on loopback that say how to talk to them.", add_demo},
}};

constexpr std::string_view overview = R"(Examples:
  tern demo                                      two servers, and how to talk to them
  tern echo --listen tcp://127.0.0.1:7007        a server
  tern chat --listen tcp://127.0.0.1:7070        a chat; nc 127.0.0.1 7070 is a client
  tern connect tcp://127.0.0.1:7007              a client
  tern load tcp://127.0.0.1:7007 -c 50 -d 10s    how fast is it?

`tern COMMAND --help` shows a command's options.)";

std::string version_line() {
#if defined(__clang__)
  constexpr std::string_view compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
  constexpr std::string_view compiler = "gcc " __VERSION__;
#else
  constexpr std::string_view compiler = "an unknown compiler";
#endif
  std::string text =
      fmt::format("tern {} (poller {}, {}, {}", version_text(), Reactor::poller_name(),
                  tls_engine().empty() ? "no TLS" : tls_engine(), compiler);
  text.erase(text.find_last_not_of(' ') + 1);
  return text + ")";
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// The subcommand that was called, or the whole program.
const CLI::App& called(const CLI::App& app) {
  const auto subcommands = app.get_subcommands();
  return subcommands.empty() ? app : *subcommands.front();
}

std::string unexpected(const CLI::App& app, const CLI::App& whole) {
  const std::vector<std::string> rest = app.remaining();
  // CLI11 knows better than to be here without one, but its message is good enough, too.
  if (rest.empty()) return "an argument too many";
  const std::string& first = rest.front();
  if (first.size() > 1 && first.front() == '-') {
    const std::string name = first.substr(0, first.find('='));
    return fmt::format("unknown option '{}'{}", name, suggestion(name, option_names(app)));
  }
  if (&app != &whole) return fmt::format("unexpected argument '{}'", first);
  std::vector<std::string> names;
  for (const Command& command : commands) names.emplace_back(command.name);
  return fmt::format("unknown command '{}'{}", first, suggestion(first, names));
}

// A wrong value from the environment is hard to find if only the option is named.
std::string source(const CLI::App& app, std::string_view message,
                   const std::vector<std::string>& arguments) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    const char* value =
        option->get_envname().empty() ? nullptr : std::getenv(option->get_envname().c_str());
    if (value == nullptr || *value == '\0' || message.substr(0, name.size() + 1) != name + ":") {
      continue;
    }
    const auto names_it = [&](const std::string& argument) {
      const bool is_long = argument.substr(0, argument.find('=')) == name;
      const auto& letters = option->get_snames();
      const bool is_short = argument.size() > 1 && argument[0] == '-' && argument[1] != '-' &&
                            std::any_of(letters.begin(), letters.end(), [&](const auto& letter) {
                              return argument.find(letter) != std::string::npos;
                            });
      return is_long || is_short;
    };
    if (std::any_of(arguments.begin(), arguments.end(), names_it)) continue;
    return fmt::format(" (from the environment variable {})", option->get_envname());
  }
  return {};
}

// An empty message stands for a failure that needs no words.
int fail(const std::string& where, ExitCode code, std::string message) {
  if (message.empty()) return code;
  std::replace(message.begin(), message.end(), '\n', ' ');
  [[maybe_unused]] const auto error =
      write_all(system::Stream::error, fmt::format("{}: {}\n", where, message));
  return code;
}

std::string problem_of(const CLI::App& app, const CLI::App& whole, const CLI::ParseError& error,
                       const std::vector<std::string>& arguments) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return unexpected(app, whole);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && &app == &whole) {
    // A misspelt command is missing, too, but that is not what is wrong.
    if (!whole.remaining().empty()) return unexpected(app, whole);
    return "a command is missing: echo, chat, connect, load, compare, cert or demo";
  }
  std::string message = error.what();
  if (message == "url is required") {
    return "the url is missing; write tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or "
           "unix:/PATH";
  }
  if (message.find("disallowed flag override") != std::string::npos) {
    const std::string name = message.substr(0, message.find(' '));
    return fmt::format("{}{} takes no value; write it alone", name.size() > 1 ? "--" : "-", name);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr &&
      message.find(" missing") != std::string::npos) {
    return message.substr(0, message.find(':')) + ": its value is missing";
  }
  return message + source(app, message, arguments);
}

int usage_error(const CLI::App& whole, const CLI::ParseError& error,
                const std::vector<std::string>& arguments) {
  const CLI::App& app = called(whole);
  const std::string where = &app == &whole ? "tern" : "tern " + app.get_name();
  const std::string problem = problem_of(app, whole, error, arguments);
  const std::string_view separator = problem.back() == '?' ? " See" : "; see";
  return fail(where, exit_usage, fmt::format("{}{} {} --help", problem, separator, where));
}

int parse_and_run(CLI::App& whole, const int& exit_code, int argc, char** argv) {
  try {
    whole.parse(argc, argv);
    return exit_code;
  } catch (const CLI::CallForHelp&) {
    print(whole.help());
  } catch (const CLI::CallForVersion& version) {
    print(fmt::format("{}\n", version.what()));
  } catch (const CLI::ParseError& error) {
    return usage_error(whole, error, {argv + 1, argv + argc});
  }
  return exit_success;
}

int run(int argc, char** argv) {
  system::fill_closed_streams();
  log_to_standard_error();
  CLI::App whole(
      "Tern: servers on each kernel's own I/O, and the tools to talk to and measure them.", "tern");
  int exit_code = exit_success;
  whole.require_subcommand(1);
  // What begins with a slash is a path, on Windows, too, where CLI11 would take it for an option.
  whole.allow_windows_style_options(false);
  set_help_format(whole);
  whole.set_help_flag("-h,--help", "print this and exit");
  whole.set_version_flag("-V,--version", version_line,
                         "print version, poller and compiler, and exit");
  whole.footer(fmt::format("{}\n\n{}", overview, all_exit_codes_help()));
  for (const Command& command : commands) {
    CLI::App* app = whole.add_subcommand(command.name, command.description)->group("Commands");
    command.add(*app, exit_code);
    finish_registration(*app);
  }
  if (argc > 0) set_program(argv[0]);
  if (argc < 2) {
    [[maybe_unused]] const auto error = write_all(system::Stream::error, whole.help());
    return exit_usage;
  }

  const auto where = [&] {
    const CLI::App& app = called(whole);
    return &app == &whole ? "tern" : "tern " + app.get_name();
  };
  try {
    return parse_and_run(whole, exit_code, argc, argv);
  } catch (const CommandError& error) {
    return fail(where(), error.code(), error.what());
  } catch (const std::system_error& error) {
    const CommandError reported = unavailable(error);
    return fail(where(), reported.code(), reported.what());
  } catch (const std::bad_alloc&) {
    return fail(where(), exit_system, "out of memory");
  } catch (const std::exception& error) {
    return fail(where(), exit_internal, fmt::format("a bug: {}", error.what()));
  }
}

}  // namespace
}  // namespace tern::tool

int main(int argc, char** argv) { return tern::tool::run(argc, argv); }
