// JsonWriter: JSON text, indented by two blanks. The caller opens and closes objects in order.
//
//   A number that JSON cannot hold (infinite, not a number) is written as null. Source: RFC 8259.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern::support {

class JsonWriter {
 public:
  JsonWriter& open();                      // the outermost object
  JsonWriter& open(std::string_view key);  // an object as a member
  JsonWriter& close();

  JsonWriter& add(std::string_view key, std::string_view value);
  JsonWriter& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  JsonWriter& add(std::string_view key, double value);
  JsonWriter& add(std::string_view key, std::integral auto value) {
    return add_raw(key, to_text(value));
  }
  JsonWriter& add(std::string_view key, const std::optional<double>& value) {
    return value ? add(key, *value) : add_raw(key, "null");
  }

  // The text so far, with a line break at its end. REQUIRES every object closed.
  const std::string& text() const { return text_; }

 private:
  static std::string to_text(bool value) { return value ? "true" : "false"; }
  static std::string to_text(std::integral auto value) { return std::to_string(value); }
  JsonWriter& add_raw(std::string_view key, std::string_view raw);
  void member(std::string_view key);
  void quote(std::string_view text);

  std::string text_;
  std::size_t depth_ = 0;
  bool first_ = true;
};

}  // namespace tern::support
