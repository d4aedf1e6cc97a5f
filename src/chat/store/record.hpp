// Records: what was said, as lines of a file that is only ever appended to.
//
//     CRC32 TIME KIND ROOM AUTHOR TEXT LF        1a2b3c4d 1763726400 s lobby alice hello there
//
//   CRC32 (IEEE 802.3, eight hex digits) is of all that follows its blank, but for the LF. KIND is
//   `s` for what was said and `e` for an emote. A record that was torn by a crash has no LF or a
//   wrong CRC; since no text holds a line break, the next one is found all the same.
//
//   Pure functions.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "src/chat/hub/hub.hpp"

namespace tern::chat {

void append_record(std::string_view room, const Message& message, std::string& out);

struct RecordsRead {
  std::size_t records = 0;
  std::size_t damaged = 0;      // lines that are no records; they were skipped
  std::size_t whole_bytes = 0;  // up to the end of the last line; what follows is torn
};
// Calls `keep` for each good record, in order.
RecordsRead read_records(std::string_view text,
                         const std::function<void(const std::string& room, Message message)>& keep);

}  // namespace tern::chat
