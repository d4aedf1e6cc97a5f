// Text that may be shown to people: UTF-8 without control characters.
//
//   A pure function, any thread. Whoever passes on what others wrote checks with it, so that nobody
//   can tear a line, or make one look like another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern::support {

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

}  // namespace tern::support
