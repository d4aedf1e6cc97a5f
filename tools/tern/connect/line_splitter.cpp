#include "tools/tern/connect/line_splitter.hpp"

#include <algorithm>
#include <utility>

namespace tern::tool {

void LineSplitter::feed(std::string_view bytes, std::vector<std::string>& lines) {
  while (!bytes.empty()) {
    const std::size_t room = bytes_max_ - rest_.size();
    const std::size_t end = bytes.substr(0, room).find('\n');
    const bool whole = end != std::string_view::npos;
    const std::size_t taken = whole ? end + 1 : std::min(room, bytes.size());
    rest_ += bytes.substr(0, taken);
    bytes.remove_prefix(taken);
    if (whole || rest_.size() == bytes_max_) lines.push_back(std::exchange(rest_, {}));
  }
}

void LineSplitter::finish(std::vector<std::string>& lines) {
  if (!rest_.empty()) lines.push_back(std::exchange(rest_, {}));
}

}  // namespace tern::tool
