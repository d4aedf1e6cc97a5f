// What --help says in 100 columns, and in the same words wherever it says the same.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "tools/tern/cli/exit_codes.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

// Each option of `app` and of its commands has its name and type on the left and, on the right,
// what it does, its default and its environment variable.
void set_help_format(CLI::App& app);

struct HelpRow {
  std::string left;
  std::string_view text;
};

// "Signals:", and what each does to a command; the second one ends any of them at once.
std::string signals_help(std::initializer_list<HelpRow> rows);

// "Exit codes:", those that a command has: without a meaning of its own in the words of the list.
std::string exit_codes_help(std::initializer_list<ExitMeaning> rows);
// All of them, with those of signals.
std::string all_exit_codes_help();

}  // namespace tern::tool
