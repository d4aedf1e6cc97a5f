// What somebody may have meant who wrote a name wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern::tool {

// "; did you mean 'echo'?", or nothing when no word is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& words);

}  // namespace tern::tool
