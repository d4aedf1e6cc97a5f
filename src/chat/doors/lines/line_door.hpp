// The line door: what a person types into `nc`, `telnet` or `tern connect`, and reads there.
//
//   In    UTF-8, lines ended by LF or CR LF, at most text_bytes_max bytes each; `/name ...` is a
//         command, `exit` alone is /quit, `//...` says a line that begins with a slash, everything
//         else is said in the current room. An empty line is nothing.
//   Out   lines ended by LF. Who says what cannot be forged, because no text holds a line break and
//         the first character tells what a line is:
//             [room] name: text        said in a room
//             [room] * name text       /me
//             [room] -- ...            somebody joined, left, has another name; a topic
//             [room TIME] ...          history, TIME in UTC
//             (private) name: text     /msg
//             -- ...                   the server, to you alone
//             !! ...                   that was not possible, and what would be right
//
//   Pure: bytes in, commands out; events in, bytes out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "src/chat/hub/hub.hpp"

namespace tern::chat {

inline constexpr std::size_t line_bytes_max = 4096;  // without its end

// Cuts a stream into lines. Holds what is not taken yet; without that no memory at all.
class LineReader {
 public:
  enum class Got : std::uint8_t {
    nothing,
    line,      // without its end
    too_long,  // told once; what is left of that line is dropped
  };

  explicit LineReader(std::size_t bytes_max = line_bytes_max) : bytes_max_(bytes_max) {}

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

// False for an empty line. What is no good command comes back as Command::Kind::answer with the
// line that says so.
bool parse_line(std::string_view line, Command& command);
// The answer to an over-long line.
Command too_long_line(std::size_t bytes_max = line_bytes_max);

// Appends the event as one line or more.
void format_lines(const Event& event, std::string& out);
// What the longest event has as lines, within these limits.
std::size_t answer_bytes_max(const HubLimits& limits);
// "-- text\n", for what the door itself has to say.
std::string notice_line(std::string_view text);

}  // namespace tern::chat
