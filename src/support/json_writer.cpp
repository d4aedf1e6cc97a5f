#include "src/support/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace tern::support {

JsonWriter& JsonWriter::open() {
  text_ += '{';
  ++depth_;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::open(std::string_view key) {
  member(key);
  return open();
}

JsonWriter& JsonWriter::close() {
  --depth_;
  if (!first_) text_ += '\n' + std::string(2 * depth_, ' ');
  text_ += '}';
  if (depth_ == 0) text_ += '\n';
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::add(std::string_view key, std::string_view value) {
  member(key);
  quote(value);
  return *this;
}

JsonWriter& JsonWriter::add(std::string_view key, double value) {
  if (!std::isfinite(value)) return add_raw(key, "null");
  // The shortest text that reads back as the same number, with an exponent where people expect one.
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  std::array<char, 32> text{};
  char* const last = text.data() + text.size();
  const auto end = is_plain
                       ? std::to_chars(text.data(), last, value, std::chars_format::fixed).ptr
                       : std::to_chars(text.data(), last, value, std::chars_format::scientific).ptr;
  return add_raw(key, {text.data(), static_cast<std::size_t>(end - text.data())});
}

JsonWriter& JsonWriter::add_raw(std::string_view key, std::string_view raw) {
  member(key);
  text_ += raw;
  return *this;
}

void JsonWriter::member(std::string_view key) {
  if (!first_) text_ += ',';
  text_ += '\n' + std::string(2 * depth_, ' ');
  first_ = false;
  quote(key);
  text_ += ": ";
}

void JsonWriter::quote(std::string_view text) {
  text_ += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      text_ += '\\';
      text_ += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto code = static_cast<unsigned char>(letter);
      text_.append("\\u00").append(1, digits[code >> 4U]).append(1, digits[code & 0xfU]);
    } else {
      text_ += letter;
    }
  }
  text_ += '"';
}

}  // namespace tern::support
