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
//   Pure but for its readers: bytes in, commands out; events in, bytes out.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "src/chat/doors/door.hpp"

namespace tern::chat {

inline constexpr std::size_t line_bytes_max = 4096;  // without its end

class LineDoor final : public Door {
 public:
  std::unique_ptr<DoorReader> make_reader() const override;
  // As one line or more.
  void write(const Event& event, std::string& out) const override;
  void write_notice(Notice notice, std::string& out) const override;
  void write_farewell(PartReason reason, std::string& out) const override;
};

// False for an empty line. What is no good command comes back as Command::Kind::answer with the
// line that says so.
bool parse_line(std::string_view line, Command& command);
// The answer to a line that is longer than line_bytes_max.
Command too_long_line();
// What the longest event has as lines, within these limits.
std::size_t answer_bytes_max(const HubLimits& limits);

}  // namespace tern::chat
