// The word that ends a session, in a stream of bytes that comes in arbitrary pieces.
//
//   Pure: bytes in, bytes out. A line ends with LF; a CR before it does not count as a part of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace tern::tool {

// Lets bytes through until a whole line equals the word. What may still become that line is held
// back, at most the word's length and a CR; everything else passes at once.
class QuitFilter {
 public:
  // An empty word lets everything through.
  explicit QuitFilter(std::string word) : line_(std::move(word) + "\r") {}

  // Appends to `out` what passes. True: the line has come; what followed it is dropped.
  bool feed(std::string_view bytes, std::string& out);
  // The end of the input, which ends the last line, too.
  bool finish(std::string& out);

 private:
  std::string_view word() const { return std::string_view(line_).substr(0, line_.size() - 1); }
  bool held_is_word() const { return held_bytes_ > 0 && held_bytes_ >= word().size(); }
  void release(std::string& out);

  std::string line_;            // the word and a CR
  std::size_t held_bytes_ = 0;  // how much of it this line has matched; only if `matching_`
  bool matching_ = true;        // nothing of this line has contradicted the word yet
};

}  // namespace tern::tool
