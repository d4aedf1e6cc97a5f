#include "tools/tern/cli/common.hpp"

#include <fmt/chrono.h>

#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <ctime>
#include <map>
#include <vector>

#include "backends/system/console.hpp"
#include "src/support/text.hpp"
#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

std::atomic<LogLevel> least_level{LogLevel::info};
std::atomic<bool> is_json{false};
std::string program_name = "tern";
// Each command's own.
std::map<const CLI::App*, LogLevel> standard_levels;

struct LevelText {
  std::string_view name;
  std::string_view colour;
};

LevelText level_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return {"debug", "\x1b[2m"};
    case LogLevel::info:
      return {"info", ""};
    case LogLevel::warning:
      return {"warning", "\x1b[33m"};
    case LogLevel::error:
      return {"error", "\x1b[31m"};
  }
  return {"error", ""};
}

// 2026-11-20T16:27:01.123Z
std::string time_stamp() {
  using namespace std::chrono;
  const auto now = system_clock::now().time_since_epoch();
  const auto whole = duration_cast<seconds>(now);
  const auto thousandths = duration_cast<milliseconds>(now - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(whole.count())), thousandths);
}

// Control characters and what is no UTF-8 (a path may be anything) must not break the line.
std::string json_text(std::string_view text) {
  std::string quoted;
  while (!text.empty()) {
    const chat::TextCheck check = chat::check_text(text);
    const bool is_whole = check.problem == chat::TextProblem::none;
    for (const char c : text.substr(0, is_whole ? text.size() : check.at)) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (c == '\t')
        quoted += "\\t";
      else
        quoted += c;
    }
    if (is_whole) break;
    text.remove_prefix(check.at);
    const bool is_control = check.problem == chat::TextProblem::control_character;
    quoted +=
        fmt::format("\\u{:04x}", is_control ? static_cast<unsigned>(check.character) : 0xfffd);
    // A control character is one, two or three bytes long; of what is no UTF-8 one is skipped.
    const bool is_long = is_control && check.character >= 0x80;
    text.remove_prefix(!is_long ? 1 : check.character < 0x800 ? 2 : 3);
  }
  return quoted;
}

void write_json(std::string_view level, std::string_view message) {
  [[maybe_unused]] const auto error =
      write_all(system::Stream::error,
                fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"{}\"}}\n",
                            time_stamp(), level, json_text(message)));
}

struct Advice {
  std::errc cause;
  std::string_view text;
};

// What a user can do about it, where the error's own text does not say it all.
constexpr std::array<Advice, 8> advices{{
    {std::errc::address_in_use,
     "; something else has it: choose another address, or end what has this one"},
    {std::errc::address_not_available, "; write an address of this machine"},
    {std::errc::permission_denied,
     "; choose a port above 1023 or a path that this user may use, or run with more rights"},
    {std::errc::operation_not_permitted, "; run with more rights"},
    {std::errc::no_such_file_or_directory, "; write a path that exists"},
    {std::errc::too_many_files_open, "; raise the descriptor limit (ulimit -n)"},
    {std::errc::connection_refused,
     "; nobody listens there: start the server, or check the address"},
    {std::errc::timed_out, "; check the address, or allow more time"},
}};

std::string_view advice(const std::error_code& error) {
  for (const Advice& candidate : advices) {
    if (error == candidate.cause) return candidate.text;
  }
  // The resolver has a vocabulary of its own.
  const bool is_system =
      error.category() == std::generic_category() || error.category() == std::system_category();
  return is_system ? "" : "; check the name, or write a numeric address";
}

bool is_exhaustion(const std::error_code& error) {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system ||
         error == std::errc::not_enough_memory || error == std::errc::no_buffer_space ||
         error == std::errc::resource_unavailable_try_again;
}

// The C library of Windows has no words for what networks do; those that the core uses are here.
std::string message_of(const std::error_code& error) {
  if (error == make_error_code(std::errc::timed_out)) return "Connection timed out";
  if (error == make_error_code(std::errc::connection_refused)) return "Connection refused";
  if (error == make_error_code(std::errc::address_not_available)) {
    return "Cannot assign requested address";
  }
  if (error == make_error_code(std::errc::operation_canceled)) return "Operation canceled";
  return error.message();
}

}  // namespace

std::string describe(const std::error_code& error) {
  std::string text = message_of(error);
  // "Connection refused" reads as a sentence; "DNS server ..." must stay as it is.
  const auto is_upper = [](char letter) { return letter >= 'A' && letter <= 'Z'; };
  if (text.size() > 1 && is_upper(text[0]) && !is_upper(text[1])) {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

CommandError unavailable(const std::string& what, const std::error_code& cause) {
  return {is_exhaustion(cause) ? exit_system : exit_unavailable,
          fmt::format("{}: {}{}", what, describe(cause), advice(cause))};
}

CommandError unavailable(const std::system_error& error) {
  // what() is "listen tcp://127.0.0.1:80: Permission denied": keep what is before the cause.
  std::string what = error.what();
  const std::string cause = ": " + error.code().message();
  if (what.size() > cause.size() && what.substr(what.size() - cause.size()) == cause) {
    what.erase(what.size() - cause.size());
    return unavailable(what, error.code());
  }
  return {is_exhaustion(error.code()) ? exit_system : exit_unavailable,
          what + std::string(advice(error.code()))};
}

bool log_enabled(LogLevel level) { return level >= least_level.load(std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view message) {
  if (!log_enabled(level)) return;
  if (is_json) return write_json(level_text(level).name, message);
  static const bool coloured = wants_colour(system::Stream::error);
  const LevelText text = level_text(level);
  const bool tinted = coloured && !text.colour.empty();
  std::string line = fmt::format("{} {}{:<7}{} ", time_stamp(), tinted ? text.colour : "",
                                 text.name, tinted ? "\x1b[0m" : "");
  for (const char letter : message) line += letter == '\n' || letter == '\r' ? ' ' : letter;
  line += '\n';
  // One write a line, so that lines of several threads do not mix. A log that cannot be written is
  // no reason to stop serving.
  [[maybe_unused]] const auto error = write_all(system::Stream::error, line);
}

void print_notice(std::string_view line) {
  if (is_json) return write_json("info", line);
  [[maybe_unused]] const auto error =
      write_all(system::Stream::error, fmt::format("{} {}\n", time_stamp(), line));
}

const std::string& program() { return program_name; }

void set_program(std::string name) { program_name = std::move(name); }

void print(std::string_view text) {
  if (const auto error = write_all(system::Stream::output, text)) {
    throw CommandError(exit_failure,
                       fmt::format("cannot write to standard output: {}", describe(error)));
  }
}

void add_log_options(CLI::App& app, LogLevel standard) {
  standard_levels[&app] = standard;
  add_text(app, "--log-level", "LEVEL", std::string(level_text(standard).name),
           "log this and what is graver: debug, info, warning or error",
           [](const std::string& text) {
             for (const LogLevel level :
                  {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
               if (text == level_text(level).name) {
                 least_level = level;
                 return;
               }
             }
             throw CLI::ValidationError(
                 "--log-level",
                 fmt::format("'{}' is not a level; write debug, info, warning or error", text));
           })
      ->group("Log");
  add_text(app, "--log-format", "FORMAT", "text",
           "text, or json: an object a line, with time, level and message",
           [](const std::string& text) {
             if (text != "text" && text != "json") {
               throw CLI::ValidationError(
                   "--log-format", fmt::format("'{}' is not a format; write text or json", text));
             }
             is_json = text == "json";
           })
      ->group("Log");
  app.add_flag_callback(
         "-q,--quiet", [] { least_level = LogLevel::error; },
         "log errors only, whatever --log-level says")
      ->group("Log");
}

void finish_registration(CLI::App& app) {
  std::vector<std::pair<CLI::Option*, std::string>> variables;
  for (CLI::Option* option : app.get_options()) {
    if (option->get_envname().empty()) continue;
    variables.emplace_back(option, option->get_envname());
    option->envname({});
  }
  app.preparse_callback([&app, variables](std::size_t) {
    for (const auto& [option, name] : variables) option->envname(name);
    if (const auto level = standard_levels.find(&app); level != standard_levels.end()) {
      least_level = level->second;
    }
  });
}

CLI::Option* with_environment(CLI::Option* option) {
  std::string name = "TERN_";
  for (const char letter : option->get_lnames().at(0)) {
    name +=
        letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  // A flag has no value: --quiet=3 is a mistake.
  return option->disable_flag_override()->envname(name);
}

CLI::Option* add_text(CLI::App& app, const std::string& names, const std::string& type,
                      const std::string& standard, const std::string& description,
                      std::function<void(const std::string&)> read) {
  CLI::Option* option = app.add_option_function<std::string>(names, std::move(read), description);
  option->type_name(type)->default_str(standard)->take_last();
  return with_environment(option);
}

CLI::Option* add_duration(CLI::App& app, const std::string& names, Duration& target,
                          const std::string& description, Duration smallest) {
  const std::string name = names.substr(names.find("--"));
  return add_text(app, names, "DURATION", format_duration(target), description,
                  [&target, name, smallest](const std::string& text) {
                    std::string problem;
                    Duration value{};
                    if (!parse_duration(text, value, problem)) {
                      throw CLI::ValidationError(name, problem);
                    }
                    if (value < smallest) {
                      throw CLI::ValidationError(
                          name, fmt::format("'{}' is too short; write {} or more", text,
                                            format_duration(smallest)));
                    }
                    target = value;
                  });
}

namespace {

template <class Number>
Number in_range(const std::string& name, const std::string& text, Number value, Number smallest,
                Number largest) {
  if (value >= smallest && value <= largest) return value;
  throw CLI::ValidationError(
      name, largest == std::numeric_limits<Number>::max()
                ? fmt::format("'{}' is too small; write {} or more", text, smallest)
                : fmt::format("'{}' is out of range; write {} to {}", text, smallest, largest));
}

}  // namespace

CLI::Option* add_size(CLI::App& app, const std::string& names, std::size_t& target,
                      const std::string& description, std::size_t smallest, std::size_t largest) {
  const std::string name = names.substr(names.find("--"));
  return add_text(app, names, "SIZE", format_size(target), description,
                  [&target, name, smallest, largest](const std::string& text) {
                    std::string problem;
                    std::size_t value = 0;
                    if (!parse_size(text, value, problem)) {
                      throw CLI::ValidationError(name, problem);
                    }
                    target = in_range(name, text, value, smallest, largest);
                  });
}

CLI::Option* add_count(CLI::App& app, const std::string& names, std::uint64_t& target,
                       const std::string& description, std::uint64_t smallest,
                       std::uint64_t largest) {
  const std::string name = names.substr(names.find("--"));
  return add_text(app, names, "COUNT", std::to_string(target), description,
                  [&target, name, smallest, largest](const std::string& text) {
                    std::string problem;
                    std::uint64_t value = 0;
                    if (!parse_count(text, value, problem)) {
                      throw CLI::ValidationError(name, problem);
                    }
                    target = in_range(name, text, value, smallest, largest);
                  });
}

}  // namespace tern::tool
