// What went wrong, for people.
#pragma once

#include <string>
#include <system_error>

namespace tern::support {

// "connection refused": the system's text in lower case, as part of a sentence.
std::string describe(const std::error_code& error);

}  // namespace tern::support
