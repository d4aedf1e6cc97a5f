#include "src/chat/store/record.hpp"

#include <array>
#include <charconv>
#include <cstdint>

#include "src/chat/hub/names.hpp"
#include "src/support/text.hpp"

namespace tern::chat {
namespace {

constexpr std::size_t crc_digits = 8;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
    }
    table[i] = value;
  }
  return table;
}

std::string crc_text(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> table = make_crc_table();
  std::uint32_t crc = ~0U;
  for (const char c : bytes)
    crc = (crc >> 8U) ^ table[(crc ^ static_cast<unsigned char>(c)) & 255U];
  crc = ~crc;
  std::string text(crc_digits, '0');
  for (std::size_t i = crc_digits; i > 0; --i, crc >>= 4U) {
    text[i - 1] = "0123456789abcdef"[crc & 15U];
  }
  return text;
}

std::string_view take_field(std::string_view& rest) {
  const std::size_t end = rest.find(' ');
  const std::string_view field = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return field;
}

bool read_record(std::string_view line, std::string& room, Message& message) {
  const std::string_view crc = take_field(line);
  if (crc != crc_text(line)) return false;
  const std::string_view time = take_field(line);
  const auto parsed = std::from_chars(time.data(), time.data() + time.size(), message.time);
  const std::string_view kind = take_field(line);
  room = take_field(line);
  message.author = take_field(line);
  message.text = line;
  message.is_emote = kind == "e";
  // A right sum says that it is what was written; not that it was written by us.
  return parsed.ec == std::errc{} && parsed.ptr == time.data() + time.size() &&
         (kind == "s" || kind == "e") && is_name(room, room.size()) &&
         is_name(message.author, message.author.size()) &&
         support::check_text(message.text).problem == support::TextProblem::none;
}

}  // namespace

void append_record(std::string_view room, const Message& message, std::string& out) {
  std::string record = std::to_string(message.time);
  record += message.is_emote ? " e " : " s ";
  record.append(room).append(" ").append(message.author).append(" ").append(message.text);
  out.append(crc_text(record)).append(" ").append(record).append("\n");
}

RecordsRead read_records(
    std::string_view text,
    const std::function<void(const std::string& room, Message message)>& keep) {
  RecordsRead read;
  for (;;) {
    const std::size_t end = text.find('\n', read.whole_bytes);
    if (end == std::string_view::npos) return read;
    std::string room;
    Message message;
    if (read_record(text.substr(read.whole_bytes, end - read.whole_bytes), room, message)) {
      ++read.records;
      keep(room, std::move(message));
    } else {
      ++read.damaged;
    }
    read.whole_bytes = end + 1;
  }
}

}  // namespace tern::chat
