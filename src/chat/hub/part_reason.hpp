// Why members part: the one list. Counters, metrics, what others read behind `left`, and what a
// member reads who is disconnected are made from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern::chat {

// Why a member is not in a room any more: it left the room alone, or it left the chat.
enum class PartReason : std::uint8_t {
  room,
  quit,
  lost,
  too_slow,
  flooding,
  idle,
  count,  // of these
};

struct PartReasonRow {
  PartReason reason;
  std::string_view name;      // of those who have gone, in metrics
  std::string_view text;      // for others; empty: `left` says it all
  std::string_view farewell;  // for itself; empty: it is not the server that ends the connection
};

inline constexpr auto part_reasons = std::to_array<PartReasonRow>({
    {PartReason::room, "room", "", ""},
    {PartReason::quit, "quit", "", ""},
    {PartReason::lost, "lost", "connection lost", ""},
    {PartReason::too_slow, "too_slow", "too slow a reader", "you read too slowly; goodbye"},
    {PartReason::flooding, "flooding", "too many lines", "you send too many lines; goodbye"},
    {PartReason::idle, "idle", "idle", "you have said nothing for too long; goodbye"},
});
inline constexpr std::size_t part_reason_count = part_reasons.size();

constexpr const PartReasonRow& row_of(PartReason reason) {
  return part_reasons[static_cast<std::size_t>(reason)];
}

// Each reason has its row, and they are in the same order.
static_assert([] {
  for (std::size_t i = 0; i < part_reasons.size(); ++i) {
    if (part_reasons[i].reason != static_cast<PartReason>(i)) return false;
  }
  return part_reasons.size() == static_cast<std::size_t>(PartReason::count);
}());

}  // namespace tern::chat
