// HelpFormatter: --help in 100 columns. Each option has its name and type on the left and, on the
// right, what it does, its default and its environment variable.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tern::tool {

class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter();

  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
};

}  // namespace tern::tool
