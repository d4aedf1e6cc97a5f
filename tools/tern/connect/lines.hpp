// Lines in a stream of bytes that comes in arbitrary pieces: the word that ends a session, and one
// datagram a line.
//
//   Pure: bytes in, bytes out. A line ends with LF; a CR before it does not count as a part of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

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

// Cuts bytes into lines of at most `bytes_max`, each with its LF if it had one; longer ones are cut
// in pieces.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Appends the whole lines that `bytes` completes.
  void feed(std::string_view bytes, std::vector<std::string>& lines);
  // Appends what is left without an LF at the end of the input.
  void finish(std::vector<std::string>& lines);

 private:
  std::size_t bytes_max_;
  std::string rest_;
};

}  // namespace tern::tool
