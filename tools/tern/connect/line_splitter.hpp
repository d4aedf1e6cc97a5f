// One datagram a line, out of a stream of bytes that comes in arbitrary pieces.
//
//   Pure: bytes in, bytes out. A line ends with LF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tern::tool {

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
