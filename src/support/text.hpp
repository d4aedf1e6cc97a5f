// What people may write in a chat: UTF-8 text without control characters, and names.
//
//   Pure functions, any thread. Every door checks with these, so that no member can tear another's
//   line, and no name can be taken for another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern::chat {

enum class TextProblem : std::uint8_t {
  none,
  // Not UTF-8 (RFC 3629): overlong forms, surrogates and cut-off sequences included.
  invalid_utf8,
  // C0 but for the tab, DEL, C1, line and paragraph separators, and what turns the direction of
  // text round: such a character may tear or forge a line on somebody's terminal.
  control_character,
};

struct TextCheck {
  TextProblem problem = TextProblem::none;
  std::size_t at = 0;          // the byte, from 0
  char32_t character = U'\0';  // the control character
};

// The first problem of `text`.
TextCheck check_text(std::string_view text);

// A nickname or a room's name: ASCII letters, digits, '-' and '_', a letter first, at most
// `bytes_max`. Letters of other scripts would allow names that only look the same.
bool is_name(std::string_view name, std::size_t bytes_max);
// Names of members that begin so, folded, are given by the server alone.
inline constexpr std::string_view guest_prefix = "guest-";
// Names that differ in the case of letters are the same name.
std::string folded(std::string_view name);

}  // namespace tern::chat
