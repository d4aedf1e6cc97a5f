// What members and rooms may be called.
//
//   Pure functions, any thread. Every door and every file checks with these, so that no name can be
//   taken for another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern::chat {

// A nickname or a room's name: ASCII letters, digits, '-' and '_', a letter first, at most
// `bytes_max`. Letters of other scripts would allow names that only look the same.
bool is_name(std::string_view name, std::size_t bytes_max);
// Names of members that begin so, folded, are given by the server alone.
inline constexpr std::string_view guest_prefix = "guest-";
// Names that differ in the case of letters are the same name.
std::string folded(std::string_view name);

}  // namespace tern::chat
