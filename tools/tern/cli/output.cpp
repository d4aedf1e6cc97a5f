#include "tools/tern/cli/output.hpp"

#include <fmt/core.h>

#include <utility>

#include "backends/system/console.hpp"
#include "tools/tern/cli/exit_codes.hpp"

namespace tern::tool {
namespace {

std::string program_name = "tern";

}  // namespace

void print(std::string_view text) {
  if (const auto error = write_all(system::Stream::output, text)) {
    throw CommandError(exit_failure,
                       fmt::format("cannot write to standard output: {}", describe(error)));
  }
}

const std::string& program() { return program_name; }

void set_program(std::string name) { program_name = std::move(name); }

}  // namespace tern::tool
