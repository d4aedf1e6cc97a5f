#include "src/support/text.hpp"

namespace tern::support {
namespace {

bool is_control(char32_t c) {
  const bool ascii = (c < 0x20 && c != U'\t') || c == 0x7f;
  const bool separates = c == 0x2028 || c == 0x2029;
  const bool turns = c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069) || c == 0x061c;
  return ascii || (c >= 0x80 && c < 0xa0) || separates || turns;
}

// The bytes of the sequence that begins with `lead`; 0 if none does.
std::size_t sequence_bytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

// The character at the front; false if it is none.
bool decode(std::string_view text, std::size_t bytes, char32_t& character) {
  static constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<unsigned char>(text.front());
  character = bytes == 1 ? lead : lead & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80) return false;
    character = (character << 6U) | (next & 0x3fU);
  }
  const bool surrogate = character >= 0xd800 && character < 0xe000;
  return character >= smallest[bytes] && character <= 0x10ffff && !surrogate;
}

}  // namespace

TextCheck check_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead >= 0x20 && lead < 0x7f) {
      ++at;
      continue;
    }
    const std::size_t bytes = sequence_bytes(lead);
    char32_t character = 0;
    if (bytes == 0 || bytes > text.size() - at || !decode(text.substr(at), bytes, character)) {
      return {TextProblem::invalid_utf8, at, 0};
    }
    if (is_control(character)) return {TextProblem::control_character, at, character};
    at += bytes;
  }
  return {};
}

}  // namespace tern::support
