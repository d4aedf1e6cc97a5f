#include "tools/tern/connect/line_editor.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace tern::tool {
namespace {

// Keys that terminals write as sequences; above all characters.
enum Key : char32_t {
  key_none = 0x110000,
  key_left,
  key_right,
  key_up,
  key_down,
  key_home,
  key_end,
  key_delete,
};

constexpr char32_t control(char letter) { return static_cast<char32_t>(letter) & 0x1fU; }

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&out](char32_t bits) { out += static_cast<char>(bits); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | (c >> 6U));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12U));
    put(0x80 | ((c >> 6U) & 0x3fU));
  } else {
    put(0xf0 | (c >> 18U));
    put(0x80 | ((c >> 12U) & 0x3fU));
    put(0x80 | ((c >> 6U) & 0x3fU));
  }
  put(0x80 | (c & 0x3fU));
}

std::string utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

// What a byte that begins a character says of its length; 0 if none begins with it.
std::size_t sequence_bytes(unsigned char lead) {
  return lead < 0x80   ? 1
         : lead < 0xc2 ? 0
         : lead < 0xe0 ? 2
         : lead < 0xf0 ? 3
         : lead < 0xf5 ? 4
                       : 0;
}

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t count>
bool is_in(const std::array<Range, count>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

}  // namespace

// By Unicode's general categories Mn, Me, Cf and East_Asian_Width W and F, in large blocks.
std::size_t columns_of(char32_t c) {
  static constexpr std::array<Range, 9> none{{{0x0300, 0x036f},
                                              {0x0483, 0x0489},
                                              {0x0591, 0x05bd},
                                              {0x064b, 0x065f},
                                              {0x200b, 0x200f},
                                              {0x20d0, 0x20f0},
                                              {0xfe00, 0xfe0f},
                                              {0xfe20, 0xfe2f},
                                              {0xe0100, 0xe01ef}}};
  static constexpr std::array<Range, 10> wide{{{0x1100, 0x115f},
                                               {0x2e80, 0x303e},
                                               {0x3041, 0xa4cf},
                                               {0xac00, 0xd7a3},
                                               {0xf900, 0xfaff},
                                               {0xfe30, 0xfe6f},
                                               {0xff00, 0xff60},
                                               {0xffe0, 0xffe6},
                                               {0x1f300, 0x1faff},
                                               {0x20000, 0x3fffd}}};
  if (c < 0x300) return 1;
  if (is_in(none, c)) return 0;
  return is_in(wide, c) ? 2 : 1;
}

// --- keys ---

LineEditor::Got LineEditor::next(std::string& line) {
  char32_t key = 0;
  while (take_key(key)) {
    if (key == U'\n' || key == U'\r') {
      line = utf8(line_);
      line_.clear();
      draft_.clear();
      cursor_ = 0;
      recalled_ = lines_.size();
      return Got::line;
    }
    if (key == control('D') && line_.empty()) return Got::end;
    handle(key);
  }
  return Got::more;
}

// False: bytes are missing.
bool LineEditor::take_key(char32_t& key) {
  if (keys_.empty()) return false;
  if (keys_.front() == '\x1b') return take_sequence(key);
  const std::size_t bytes = sequence_bytes(static_cast<unsigned char>(keys_.front()));
  if (keys_.size() < bytes) return false;
  key = bytes < 2 ? static_cast<unsigned char>(keys_.front())
                  : static_cast<unsigned char>(keys_.front()) & (0xffU >> (bytes + 1));
  bool is_whole = bytes > 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(keys_[i]);
    is_whole = is_whole && (next & 0xc0U) == 0x80;
    key = (key << 6U) | (next & 0x3fU);
  }
  if (!is_whole) key = key_none;
  keys_.erase(0, is_whole ? bytes : 1);
  return true;
}

// ESC [ NUMBERS LETTER, ESC O LETTER (ECMA-48, xterm's); ESC and another key: that key is dropped.
bool LineEditor::take_sequence(char32_t& key) {
  if (keys_.size() < 2) return false;
  key = key_none;
  const bool is_long = keys_[1] == '[' || keys_[1] == 'O';
  const std::size_t end = is_long ? keys_.find_first_not_of("0123456789;", 2) : 1;
  if (end == std::string::npos) {
    if (keys_.size() > 16) keys_.clear();
    return false;
  }
  static constexpr std::string_view letters = "DCABHF";
  static constexpr std::array<Key, 6> named{key_left, key_right, key_up,
                                            key_down, key_home,  key_end};
  const std::size_t letter = is_long ? letters.find(keys_[end]) : std::string_view::npos;
  if (letter != std::string_view::npos) key = named.at(letter);
  if (is_long && keys_[end] == '~') {
    const std::string number = keys_.substr(2, end - 2);
    key = number == "3"                    ? key_delete
          : number == "1" || number == "7" ? key_home
          : number == "4" || number == "8" ? key_end
                                           : key_none;
  }
  keys_.erase(0, end + 1);
  return true;
}

void LineEditor::handle(char32_t key) {
  switch (key) {
    case key_left:
    case control('B'):
      cursor_ -= cursor_ > 0 ? 1 : 0;
      return;
    case key_right:
    case control('F'):
      cursor_ += cursor_ < line_.size() ? 1 : 0;
      return;
    case key_home:
    case control('A'):
      cursor_ = 0;
      return;
    case key_end:
    case control('E'):
      cursor_ = line_.size();
      return;
    case key_up:
    case control('P'):
      return recall(recalled_ - (recalled_ > 0 ? 1 : 0));
    case key_down:
    case control('N'):
      return recall(recalled_ + 1);
    case key_delete:
    case control('D'):
      return erase(cursor_, cursor_ + 1);
    case 0x7f:
    case control('H'):
      return erase(cursor_ - (cursor_ > 0 ? 1 : 0), cursor_);
    case control('W'):
      return erase(word_begin(), cursor_);
    case control('U'):
      return erase(0, cursor_);
    case control('K'):
      return erase(cursor_, line_.size());
    case U'\t':
      return insert(U' ');
    default:
      // C1, too, is no text; the cursor must not go elsewhere.
      if (key >= 0x20 && key < 0x110000 && (key < 0x7f || key >= 0xa0)) insert(key);
  }
}

void LineEditor::insert(char32_t character) {
  if (line_.size() >= characters_max) return;
  line_.insert(cursor_++, 1, character);
}

void LineEditor::erase(std::size_t begin, std::size_t end) {
  line_.erase(begin, std::min(end, line_.size()) - begin);
  cursor_ = begin;
}

std::size_t LineEditor::word_begin() const {
  std::size_t begin = cursor_;
  while (begin > 0 && line_[begin - 1] == U' ') --begin;
  while (begin > 0 && line_[begin - 1] != U' ') --begin;
  return begin;
}

// --- lines typed before ---

void LineEditor::recall(std::size_t index) {
  if (index > lines_.size() || index == recalled_) return;
  if (recalled_ == lines_.size()) draft_ = line_;
  recalled_ = index;
  line_ = index == lines_.size() ? draft_ : lines_[index];
  cursor_ = line_.size();
}

void LineEditor::remember(const std::string& line) {
  LineEditor reader("");  // as it was typed
  reader.feed(line);
  std::string none;
  reader.next(none);
  if (reader.line_.empty() || (!lines_.empty() && lines_.back() == reader.line_)) return;
  lines_.push_back(std::move(reader.line_));
  if (lines_.size() > lines_max) lines_.pop_front();
  recalled_ = lines_.size();
}

// --- display ---

std::string LineEditor::shown(std::size_t columns) const {
  // The last column stays free: in it some terminals wrap already.
  const std::size_t room = columns > prompt_.size() + 4 ? columns - prompt_.size() - 1 : 3;
  std::size_t begin = cursor_;
  std::size_t before = 0;  // columns from `begin` to the cursor
  while (begin > 0 && before + columns_of(line_[begin - 1]) < room) {
    before += columns_of(line_[--begin]);
  }
  std::size_t end = cursor_;
  std::size_t used = before;
  while (end < line_.size() && used + columns_of(line_[end]) <= room) {
    used += columns_of(line_[end++]);
  }
  std::string text(erased());
  text += prompt_;
  text += utf8(std::u32string_view(line_).substr(begin, end - begin));
  if (used > before) text += "\x1b[" + std::to_string(used - before) + "D";
  return text;
}

}  // namespace tern::tool
