#include "tools/tern/cli/help.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <sstream>
#include <vector>

#include "tools/tern/cli/signal_router.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t option_columns = 32;
constexpr std::size_t all_columns = 100;

// `left` in so many columns, and `text` in lines to the right of it.
std::string row(const std::string& left, const std::string& text, std::size_t left_columns) {
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

std::string table(const std::string& title, const std::vector<HelpRow>& rows) {
  std::size_t columns = 0;
  for (const HelpRow& each : rows) columns = std::max(columns, each.left.size());
  std::string text = title + ":\n";
  for (const HelpRow& each : rows) text += row(each.left, std::string(each.text), columns + 4);
  text.pop_back();
  return text;
}

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() {
    label("SUBCOMMAND", "COMMAND");
    label("Positionals", "Arguments");
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
};

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
  return row(left, text, option_columns);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return row(command->get_name(), command->get_description(), option_columns);
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  // CLI11 puts an empty line between two groups, but not before the first.
  const bool is_first = is_positional || group == "Options";
  std::string text = (is_first ? "\n" : "") + group + ":\n";
  for (const CLI::Option* option : options) text += make_option(option, is_positional);
  return text;
}

}  // namespace

void set_help_format(CLI::App& app) { app.formatter(std::make_shared<HelpFormatter>()); }

std::string signals_help(std::initializer_list<HelpRow> rows) {
  std::vector<std::string> codes;
  for (const auto& [name, code] : ending_signals()) {
    codes.push_back(fmt::format("{} for {}", code, name));
  }
  const std::string second =
      fmt::format("ends at once, whatever is under way; exit code {}", fmt::join(codes, ", "));
  std::vector<HelpRow> all(rows);
  all.push_back({"a second one", second});
  return table("Signals", all);
}

std::string exit_codes_help(std::initializer_list<ExitMeaning> rows) {
  std::vector<HelpRow> all;
  for (const auto& [code, meaning] : rows) {
    all.push_back({std::to_string(code), meaning.empty() ? meaning_of(code) : meaning});
  }
  return table("Exit codes", all);
}

std::string all_exit_codes_help() {
  std::vector<HelpRow> all;
  for (int code = 0; code <= UINT8_MAX; ++code) {
    const std::string_view meaning = meaning_of(static_cast<ExitCode>(code));
    if (!meaning.empty()) all.push_back({std::to_string(code), meaning});
  }
  std::vector<int> codes;
  std::vector<std::string_view> names;
  for (const auto& [name, code] : ending_signals()) {
    codes.push_back(code);
    names.push_back(name);
  }
  const std::string ended = fmt::format(
      "ended at once by {}: the second one, or one before it was ready", fmt::join(names, ", "));
  all.push_back({fmt::format("{}", fmt::join(codes, ", ")), ended});
  return table("Exit codes", all);
}

}  // namespace tern::tool
