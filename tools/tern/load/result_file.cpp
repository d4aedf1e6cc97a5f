#include "tools/tern/load/result_file.hpp"

#include <fmt/core.h>

#include <fstream>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/output.hpp"

namespace tern::tool {

void check_result_file(const char* option, const std::string& path) {
  if (path.empty() || path == "-") return;
  if (!std::ofstream(path, std::ios::app)) {
    throw CommandError(exit_usage, fmt::format("{} {}: cannot be written; name a file in a "
                                               "directory that exists and is yours",
                                               option, path));
  }
}

void write_result_file(const char* option, const std::string& path, const std::string& text) {
  if (path.empty()) return;
  if (path == "-") return print(text);
  std::ofstream file(path, std::ios::trunc);
  file << text << std::flush;
  if (!file) {
    throw CommandError(exit_failure,
                       fmt::format("{} {}: writing failed; is the disk full?", option, path));
  }
}

}  // namespace tern::tool
