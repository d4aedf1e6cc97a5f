#include "tools/tern/cli/help.hpp"

#include <fmt/format.h>

#include <sstream>

namespace tern::tool {
namespace {

constexpr std::size_t left_columns = 32;
constexpr std::size_t all_columns = 100;

// `left`, and `text` in lines to the right of it.
std::string row(const std::string& left, const std::string& text) {
  std::string rows = fmt::format("  {:<{}}", left, left_columns - 2);
  std::size_t column = left_columns;
  if (left.size() + 3 > left_columns) {
    rows += '\n' + std::string(left_columns, ' ');
  }
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (column + word.size() + 1 > all_columns) {
      rows += '\n' + std::string(left_columns, ' ');
      column = left_columns;
    } else if (column > left_columns) {
      rows += ' ';
      ++column;
    }
    rows += word;
    column += word.size();
  }
  return rows + '\n';
}

}  // namespace

HelpFormatter::HelpFormatter() {
  label("SUBCOMMAND", "COMMAND");
  label("Positionals", "Arguments");
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string left = is_positional ? option->get_name(true, false) : option->get_name(false, true);
  if (const auto comma = left.find(','); comma != std::string::npos) left.insert(comma + 1, " ");
  // Options without a short name are set where the long names of others are.
  if (left.rfind("--", 0) == 0) left.insert(0, "    ");
  const bool takes_value = option->get_type_size() != 0;
  if (takes_value && !is_positional) left += " " + option->get_type_name();
  std::string text = option->get_description();
  std::vector<std::string> notes;
  if (takes_value && !option->get_default_str().empty()) {
    notes.push_back("default " + option->get_default_str());
  }
  if (!option->get_envname().empty()) notes.push_back(option->get_envname());
  if (!notes.empty()) text += fmt::format(" [{}]", fmt::join(notes, "; "));
  return row(left, text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return row(command->get_name(), command->get_description());
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  // CLI11 puts an empty line between two groups, but not before the first.
  const bool is_first = is_positional || group == "Options";
  std::string text = (is_first ? "\n" : "") + group + ":\n";
  for (const CLI::Option* option : options) text += make_option(option, is_positional);
  return text;
}

}  // namespace tern::tool
