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

// Members are numbered by each reactor for itself, so that none is asked for a number; where a
// member is, and through which door it came, is a part of its number.
using DoorId = std::size_t;
inline constexpr unsigned shard_shift = 48;
inline constexpr unsigned door_shift = 44;
inline constexpr DoorId doors_max = 1U << (shard_shift - door_shift);
constexpr MemberId member_id(std::size_t shard, DoorId door, std::uint64_t number) {
  return (static_cast<MemberId>(shard) << shard_shift) |
         (static_cast<MemberId>(door) << door_shift) | number;
}
constexpr std::size_t shard_of(MemberId member) {
  return static_cast<std::size_t>(member >> shard_shift);
}
constexpr DoorId door_of(MemberId member) {
  return static_cast<DoorId>(member >> door_shift) % doors_max;
}

// Those members of a room who came through one door: they read the same bytes.
using AudienceId = std::uint64_t;
constexpr AudienceId audience_of(RoomId room, DoorId door) { return room * doors_max + door; }

// To one reactor: what its members hear, in the order of the hub.
struct Delivery {
  enum class Kind : std::uint8_t {
    to_audience,  // buffer, for every member of the audience here but `member`
    to_member,    // buffer
    enter,        // the member is one of the audience from here on
    exit,         // ... and no more
    dismiss,      // the hub has forgotten the member
    acknowledge,  // `count` of the member's commands are done with
  };
  Kind kind = Kind::to_audience;
  bool is_presence = false;
  std::uint32_t count = 0;
  MemberId member = 0;
  AudienceId audience = 0;
  SharedBuffer buffer = {};
};
using Deliveries = std::vector<Delivery>;

}  // namespace tern::chat
