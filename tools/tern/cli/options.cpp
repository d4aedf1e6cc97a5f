#include "tools/tern/cli/options.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <cctype>
#include <map>
#include <utility>
#include <vector>

#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

// Each command's own.
std::map<const CLI::App*, LogLevel> standard_levels;

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

std::vector<CLI::Option*> add_log_options(CLI::App& app, LogLevel standard) {
  standard_levels[&app] = standard;
  const std::vector<CLI::Option*> options{
      add_text(app, "--log-level", "LEVEL", std::string(to_string(standard)),
               "log this and what is graver: debug, info, warning or error",
               [](const std::string& text) {
                 for (const LogLevel level :
                      {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
                   if (text == to_string(level)) return support::set_least_log_level(level);
                 }
                 refuse("--log-level", text, "a level", "debug, info, warning or error");
               }),
      add_text(app, "--log-format", "FORMAT", "text",
               "text, or json: an object a line, with time, level and message",
               [](const std::string& text) {
                 if (text != "text" && text != "json") {
                   refuse("--log-format", text, "a format", "text or json");
                 }
                 set_log_json(text == "json");
               }),
      app.add_flag_callback(
          "-q,--quiet", [] { support::set_least_log_level(LogLevel::error); },
          "log errors only, whatever --log-level says"),
  };
  for (CLI::Option* option : options) option->group("Log");
  return options;
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
      support::set_least_log_level(level->second);
    }
  });
}

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& kind, const std::string& advice) {
  throw CLI::ValidationError(option, fmt::format("'{}' is not {}; write {}", text, kind, advice));
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
