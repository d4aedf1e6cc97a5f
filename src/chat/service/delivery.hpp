// What travels between the hub and the reactors: values, posted.
#pragma once

#include <cstdint>
#include <vector>

#include "src/chat/hub/hub.hpp"
#include "tern/shared_buffer.hpp"

namespace tern::chat {

// To the hub: what members do, in the order in which they did it.
struct Request {
  enum class Kind : std::uint8_t { arrive, command, gone };
  Kind kind = Kind::command;
  MemberId member = 0;
  PartReason why = PartReason::lost;  // of gone
  Command command = {};
};
using Requests = std::vector<Request>;

// To one reactor: what its members hear, in the order of the hub.
struct Delivery {
  enum class Kind : std::uint8_t {
    to_room,      // buffer, for every member of the room here but `member`
    to_member,    // buffer
    enter,        // the member is in the room from here on
    exit,         // ... and no more
    dismiss,      // the hub has forgotten the member
    acknowledge,  // `count` of the member's commands are done with
  };
  Kind kind = Kind::to_room;
  bool is_presence = false;
  std::uint32_t count = 0;
  MemberId member = 0;
  RoomId room = 0;
  SharedBuffer buffer = {};
};
using Deliveries = std::vector<Delivery>;

// Members are numbered by each reactor for itself, so that none is asked for a number.
constexpr unsigned shard_shift = 48;
constexpr MemberId member_id(std::size_t shard, std::uint64_t number) {
  return (static_cast<MemberId>(shard) << shard_shift) | number;
}
constexpr std::size_t shard_of(MemberId member) {
  return static_cast<std::size_t>(member >> shard_shift);
}

}  // namespace tern::chat
