#include "tools/tern/connect/quit_filter.hpp"

namespace tern::tool {

void QuitFilter::release(std::string& out) {
  out.append(line_, 0, held_bytes_);
  held_bytes_ = 0;
}

bool QuitFilter::feed(std::string_view bytes, std::string& out) {
  if (word().empty()) {
    out += bytes;
    return false;
  }
  while (!bytes.empty()) {
    if (!matching_) {
      const std::size_t end = bytes.find('\n');
      const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
      out += bytes.substr(0, taken);
      bytes.remove_prefix(taken);
      matching_ = end != std::string_view::npos;
      continue;
    }
    const char letter = bytes.front();
    if (letter == '\n' && held_is_word()) return true;
    if (held_bytes_ < line_.size() && letter == line_[held_bytes_]) {
      ++held_bytes_;
      bytes.remove_prefix(1);
      continue;
    }
    // The letter itself is treated as a part of the rest of the line, in the next round.
    release(out);
    matching_ = false;
  }
  return false;
}

bool QuitFilter::finish(std::string& out) {
  if (word().empty()) return false;
  if (matching_ && held_is_word()) return true;
  release(out);
  return false;
}

}  // namespace tern::tool
