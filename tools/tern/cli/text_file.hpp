// Files that a setting names: read whole, or made anew.
#pragma once

#include <string>

namespace tern::tool {

// The text of the file behind an option. Throws CommandError (78): it cannot be read, or is empty.
std::string read_text(const std::string& option, const std::string& path);

// Writes a file that did not exist, readable by its owner alone if `secret`. Throws CommandError:
// 73 if it exists.
void write_new_file(const std::string& path, const std::string& text, bool secret);

}  // namespace tern::tool
