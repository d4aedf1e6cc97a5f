// LineEditor: one line being typed at a terminal, with those that were typed before.
//
//   Keys      left, right, Home, End (Ctrl-B F A E), Backspace, Delete (Ctrl-D), Ctrl-W a word,
//             Ctrl-U all before and Ctrl-K all behind the cursor, up and down (Ctrl-P N) for
//             earlier lines, Enter, and Ctrl-D in an empty line for the end of the input
//   Display   one row, that moves sideways under a line too long for it: so the line can be taken
//             away with one sequence, and put back below what has been printed meanwhile
//
//   Pure: bytes in, bytes out. Bounded: lines_max lines are remembered, of characters_max each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace tern::tool {

class LineEditor {
 public:
  static constexpr std::size_t lines_max = 500;
  static constexpr std::size_t characters_max = 16'384;

  enum class Got : std::uint8_t { more, line, end };

  explicit LineEditor(std::string prompt) : prompt_(std::move(prompt)) {}

  void feed(std::string_view bytes) { keys_ += bytes; }
  // Takes keys up to the end of a line, without which `line` is set (UTF-8).
  Got next(std::string& line);
  // Not what is to be kept from who looks over one's shoulder.
  void remember(const std::string& line);

  // Puts the line on an empty row of so many columns, and the cursor where it is.
  std::string shown(std::size_t columns) const;
  // Takes it away again.
  static std::string_view erased() { return "\r\x1b[K"; }

 private:
  bool take_key(char32_t& key);
  bool take_sequence(char32_t& key);
  void handle(char32_t key);
  void insert(char32_t character);
  void erase(std::size_t begin, std::size_t end);
  void recall(std::size_t index);
  std::size_t word_begin() const;

  const std::string prompt_;  // ASCII
  std::string keys_;          // not taken yet
  std::u32string line_;
  std::size_t cursor_ = 0;
  std::deque<std::u32string> lines_;
  std::size_t recalled_ = 0;  // which of them is shown; lines_.size(): the new one
  std::u32string draft_;      // the new one meanwhile
};

// How many columns a character takes: 0, 1 or 2.
std::size_t columns_of(char32_t character);

}  // namespace tern::tool
