// LineReader: cuts a stream into lines, which LF or CR LF ends.
//
//   Holds what is not taken yet; without that no memory at all. Bounded: a longer line than
//   `bytes_max`, without its end, is told once and dropped.
//   THREAD  its owner's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern::support {

class LineReader {
 public:
  enum class Got : std::uint8_t {
    nothing,
    line,      // without its end
    too_long,  // told once; what is left of that line is dropped
  };

  explicit LineReader(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void feed(std::string_view bytes);
  // `line` is valid until the next call of anything.
  Got next(std::string_view& line);
  // The end of the stream ends the last line, too.
  Got finish(std::string_view& line);
  std::size_t held_bytes() const { return held_.size() - first_; }

 private:
  Got take(std::size_t end, std::string_view& line);
  void compact();

  std::size_t bytes_max_;
  std::string held_;
  std::size_t first_ = 0;    // before it all is taken
  std::size_t scanned_ = 0;  // no line ends before it
  bool is_skipping_ = false;
};

}  // namespace tern::support
