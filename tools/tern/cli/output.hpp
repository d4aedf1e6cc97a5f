// Standard output, which carries only what a command promises: everything else goes to standard
// error (log.hpp).
#pragma once

#include <string>
#include <string_view>

namespace tern::tool {

// Writes all of `text` to standard output at once; throws CommandError when it cannot be written.
void print(std::string_view text);

// `tern` as the user called it, for examples that can be pasted: "./build/tern".
const std::string& program();
void set_program(std::string name);

}  // namespace tern::tool
