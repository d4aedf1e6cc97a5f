// The commands of `tern`: one function and one file each.
//
//   add_<name>() registers the command's options with `app` and a callback that runs it and stores
//   its exit code in `exit_code`, which must outlive the parsing. A command that cannot do its work
//   throws CommandError (cli/exit_codes.hpp); main() prints it as one line.
#pragma once

namespace CLI {
class App;
}

namespace tern::tool {

void add_echo(CLI::App& app, int& exit_code);
void add_chat(CLI::App& app, int& exit_code);
void add_connect(CLI::App& app, int& exit_code);
void add_load(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_cert(CLI::App& app, int& exit_code);
void add_demo(CLI::App& app, int& exit_code);

}  // namespace tern::tool
