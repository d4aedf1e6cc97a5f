#include "tools/tern/cli/configuration.hpp"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <CLI/App.hpp>
#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/suggestion.hpp"
#include "tools/tern/cli/text_file.hpp"

namespace tern::tool {
namespace {

// Where something stands in which file.
struct Place {
  const std::string& path;
  toml::source_position at;
};

[[noreturn]] void fail(const Place& place, std::string_view problem) {
  throw CommandError(exit_configuration, fmt::format("{}:{}:{}: {}", place.path, place.at.line,
                                                     place.at.column, problem));
}

Place place_of(const std::string& path, const toml::node& node) {
  return {path, node.source().begin};
}

std::string long_name(const CLI::Option& option) {
  return option.get_lnames().empty() ? std::string() : option.get_lnames().front();
}

void set(CLI::Option& option, const std::vector<std::string>& texts) {
  option.clear();
  for (const std::string& text : texts) option.add_result(text);
  option.run_callback();
}

// As the command line would have it.
std::string text_of(const Place& place, const CLI::Option& option, const toml::node& node) {
  const bool is_flag = option.get_items_expected_max() == 0;
  if (const auto* value = node.as_boolean()) {
    if (is_flag) return value->get() ? "true" : "false";
    if (option.get_type_name() == "on|off") return value->get() ? "on" : "off";
  } else if (is_flag) {
    fail(place, fmt::format("{} is on or off; write true or false", long_name(option)));
  } else if (const auto* text = node.as_string()) {
    return text->get();
  } else if (const auto* number = node.as_integer()) {
    return std::to_string(number->get());
  }
  fail(place, fmt::format("{} takes no such value; write a string or a whole number, as behind {}",
                          long_name(option), option.get_name()));
}

std::vector<std::string> texts_of(const std::string& path, const CLI::Option& option,
                                  const toml::node& node) {
  const auto* list = node.as_array();
  if (list == nullptr) return {text_of(place_of(path, node), option, node)};
  if (option.get_multi_option_policy() != CLI::MultiOptionPolicy::TakeAll) {
    fail(place_of(path, node), fmt::format("{} takes one value; write no list", long_name(option)));
  }
  std::vector<std::string> texts;
  for (const toml::node& each : *list) {
    texts.push_back(text_of(place_of(path, each), option, each));
  }
  if (texts.empty()) {
    fail(place_of(path, node),
         fmt::format("{} has no value; write one, or remove the line", long_name(option)));
  }
  return texts;
}

// Also tries what counts for nothing, so that it is right when it does.
void apply(const std::string& path, CLI::Option& option, const toml::node& node) {
  const std::vector<std::string> texts = texts_of(path, option, node);
  const std::vector<std::string> given = option.results();
  if (option.get_items_expected_max() == 0 && texts.front() == "false") return;
  try {
    set(option, texts);
  } catch (const CLI::Error& error) {
    std::string_view problem = error.what();
    if (problem.starts_with("--")) problem.remove_prefix(2);
    fail(place_of(path, node), problem);
  }
  if (!given.empty()) set(option, given);
}

}  // namespace

OptionTexts said_options(const CLI::App& app) {
  OptionTexts said;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0) said[long_name(*option)] = option->results();
  }
  return said;
}

void apply_given(CLI::App& app, const OptionTexts& given) {
  for (const auto& [name, texts] : given) set(*app.get_option("--" + name), texts);
}

void apply_configuration(CLI::App& app, const std::string& path) {
  std::istringstream text(read_text("--config", path));
  try {
    const toml::table table = toml::parse(text, path);
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      CLI::Option* option = app.get_option_no_throw("--" + name);
      const Place place{path, key.source().begin};
      if (option == nullptr) {
        std::vector<std::string> names;
        for (const CLI::Option* each : app.get_options()) names.push_back(long_name(*each));
        fail(place, fmt::format("there is no option '{}'{}", name, suggestion(name, names)));
      }
      if (!option->get_configurable()) {
        fail(place, fmt::format("{} is for the command line alone; remove it here", name));
      }
      apply(path, *option, node);
    }
  } catch (const toml::parse_error& error) {
    std::string problem(error.description());
    std::replace(problem.begin(), problem.end(), '\n', ' ');
    fail({path, error.source().begin}, problem);
  }
}

}  // namespace tern::tool
