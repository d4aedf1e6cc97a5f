#include "src/support/line_reader.hpp"

#include <algorithm>
#include <utility>

namespace tern::support {

void LineReader::feed(std::string_view bytes) {
  compact();
  held_ += bytes;
}

void LineReader::compact() {
  if (first_ == 0) return;
  held_.erase(0, first_);
  scanned_ -= first_;
  first_ = 0;
  if (held_.empty()) held_.shrink_to_fit();
}

LineReader::Got LineReader::take(std::size_t end, std::string_view& line) {
  std::size_t size = end - first_;
  line = std::string_view(held_).substr(first_, size);
  if (line.ends_with('\r')) line.remove_suffix(1);
  first_ = scanned_ = std::min(end + 1, held_.size());
  if (std::exchange(is_skipping_, false)) return Got::nothing;
  return line.size() > bytes_max_ ? Got::too_long : Got::line;
}

LineReader::Got LineReader::next(std::string_view& line) {
  for (;;) {
    const std::size_t end = held_.find('\n', scanned_);
    if (end != std::string::npos) {
      const Got got = take(end, line);
      if (got != Got::nothing) return got;
      continue;
    }
    scanned_ = held_.size();
    // A CR may still turn out to belong to the line's end.
    const bool is_too_long = held_bytes() > bytes_max_ + 1;
    if (is_skipping_ || is_too_long) first_ = held_.size();
    compact();
    if (!is_too_long || is_skipping_) return Got::nothing;
    is_skipping_ = true;
    return Got::too_long;
  }
}

LineReader::Got LineReader::finish(std::string_view& line) {
  return held_bytes() == 0 ? Got::nothing : take(held_.size(), line);
}

}  // namespace tern::support
