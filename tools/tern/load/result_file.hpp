// The files that results go to: --json and --hdr of tern load. "-" is standard output, and an empty
// path none. Both throw CommandError with the option's name.
#pragma once

#include <string>

namespace tern::tool {

// Before a run, which is too long to find out afterwards: whether the file can be written. What is
// in it stays.
void check_result_file(const char* option, const std::string& path);

void write_result_file(const char* option, const std::string& path, const std::string& text);

}  // namespace tern::tool
