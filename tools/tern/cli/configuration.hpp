// A configuration file (TOML 1.0) with the options of a command: `max-members = 5000` is
// --max-members 5000.
//
//   Flag > environment > file > default: a value of the file counts where neither of the first two
//   gave one. Whatever is wrong is one line with file:line:column, also what a flag overrides.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tern::tool {

// What was said of each option, by its long name, without dashes.
using OptionTexts = std::map<std::string, std::vector<std::string>>;

// What has been said by now: before apply_configuration() on the command line and in the
// environment, afterwards in the file, too.
OptionTexts said_options(const CLI::App& app);

// Does again what the command line said, on options that were registered anew.
void apply_given(CLI::App& app, const OptionTexts& given);

// Reads the file, and sets options that were not given otherwise. An option that is not
// configurable() has no place in a file. Throws CommandError (78).
void apply_configuration(CLI::App& app, const std::string& path);

}  // namespace tern::tool
