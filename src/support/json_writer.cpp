#include "src/support/json_writer.hpp"

#include <fmt/format.h>

#include <cmath>

namespace tern::tool {

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
  // The shortest text that reads back as the same number.
  return add_raw(key, std::isfinite(value) ? fmt::format("{}", value) : "null");
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
      text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(letter));
    } else {
      text_ += letter;
    }
  }
  text_ += '"';
}

}  // namespace tern::tool
