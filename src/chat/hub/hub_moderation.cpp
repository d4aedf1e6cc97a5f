// Who keeps order in a room, and how: kicks, bans and mutes.
//
//   The right belongs to who has been in the room for longest, and goes on to the next when that
//   one leaves; so it is always somebody who is there. Operators have it in each room that they are
//   in, and only another operator has it over them. Bans and mutes belong to the room: they stay
//   when the moderator goes, and as long as the room is kept.
#include <algorithm>
#include <utility>

#include "src/chat/hub/hub.hpp"
#include "src/chat/hub/hub_state.hpp"
#include "src/chat/hub/names.hpp"

namespace tern::chat {

void Hub::moderate(const Member& member, const Command& command, Moderation action) {
  Room* room = room_of(member, {});
  if (room == nullptr) return;
  if (room->moderator() != &member && !is_operator(member.nickname)) {
    return refuse(member, Problem::not_moderator, room->moderator()->nickname);
  }
  const bool lifts = command.kind == Command::Kind::unban || command.kind == Command::Kind::unmute;
  if (!lifts && is_operator(command.name) && !is_operator(member.nickname)) {
    return refuse(member, Problem::moderates_all, command.name);
  }
  (this->*action)(member, *room, command);
}

bool Hub::is_operator(std::string_view name) const {
  if (reserved_names_.operators.empty()) return false;
  const std::string key = folded(name);
  return reserved_names_.operators.contains(key) && reserved_names_.reserved.contains(key);
}

bool Hub::is_on(const BanList& list, const Member& member) const {
  if (list.empty() || is_operator(member.nickname)) return false;
  const std::string key = folded(member.nickname);
  return std::any_of(list.begin(), list.end(), [&](const BanEntry& entry) {
    return entry.member == member.id || entry.key == key;
  });
}

// Who is banned is no secret, and has to be seen to be lifted.
void Hub::show(const Member& member, BanList Room::*list, Event::Kind kind) {
  const Room* room = room_of(member, {});
  if (room == nullptr) return;
  std::vector<std::string_view> names;
  for (const BanEntry& entry : room->*list) names.emplace_back(entry.name);
  events_.send_to(member.id, {.kind = kind, .room = room->name, .names = names});
}

Hub::Member* Hub::other_in(const Member& moderator, const Room& room, const std::string& name) {
  Member* other = find_member(name);
  if (other == nullptr || !other->is_in(room)) {
    refuse(moderator, Problem::not_here, name);
    return nullptr;
  }
  if (other != &moderator) return other;
  refuse(moderator, Problem::yourself);
  return nullptr;
}

void Hub::kick(const Member& moderator, Room& room, const Command& command) {
  Member* other = other_in(moderator, room, command.name);
  if (other == nullptr) return;
  events_.broadcast(room.id, 0,
                    {.kind = Event::Kind::kicked,
                     .room = room.name,
                     .actor = moderator.nickname,
                     .name = other->nickname,
                     .text = command.text});
  remove_from_room(room, *other);
}

void Hub::remove_from_room(Room& room, Member& member) {
  take_out(room, member);
  announce_moderator(room);
}

// Adds the name; false: it has been told why not. A name that nobody has now may come later.
bool Hub::add_to(const Member& moderator, BanList& list, const std::string& name) {
  const Member* other = find_member(name);
  if (other == &moderator) {
    refuse(moderator, Problem::yourself);
  } else if (!is_name(name, limits_.name_bytes_max)) {
    refuse(moderator, Problem::bad_nickname, name, limits_.name_bytes_max);
  } else if (std::any_of(list.begin(), list.end(),
                         [key = folded(name)](const BanEntry& row) { return row.key == key; })) {
    refuse(moderator, Problem::already, name);
  } else if (list.size() >= limits_.bans_max) {
    refuse(moderator, Problem::ban_list_full, {}, limits_.bans_max);
  } else {
    list.push_back({folded(name), other == nullptr ? name : other->nickname,
                    other == nullptr ? 0 : other->id});
    return true;
  }
  return false;
}

void Hub::ban(const Member& moderator, Room& room, const Command& command) {
  if (!add_to(moderator, room.banned, command.name)) return;
  events_.broadcast(room.id, 0,
                    {.kind = Event::Kind::banned,
                     .room = room.name,
                     .actor = moderator.nickname,
                     .name = room.banned.back().name});
  Member* other = find_member(command.name);
  if (other != nullptr && other->is_in(room)) remove_from_room(room, *other);
}

void Hub::mute(const Member& moderator, Room& room, const Command& command) {
  if (!add_to(moderator, room.muted, command.name)) return;
  events_.broadcast(room.id, 0,
                    {.kind = Event::Kind::muted,
                     .room = room.name,
                     .actor = moderator.nickname,
                     .name = room.muted.back().name});
}

// False: it has been told why not. Who has another name by now is found under that one, too.
bool Hub::lift(const Member& moderator, BanList& list, const std::string& name) {
  const Member* other = find_member(name);
  const std::string key = folded(name);
  const std::size_t lifted = std::erase_if(list, [&](const BanEntry& entry) {
    return entry.key == key || (other != nullptr && entry.member == other->id);
  });
  if (lifted == 0) refuse(moderator, Problem::not_listed, name);
  return lifted > 0;
}

void Hub::unban(const Member& moderator, Room& room, const Command& command) {
  if (!lift(moderator, room.banned, command.name)) return;
  events_.broadcast(room.id, 0,
                    {.kind = Event::Kind::unbanned,
                     .room = room.name,
                     .actor = moderator.nickname,
                     .name = command.name});
}

void Hub::unmute(const Member& moderator, Room& room, const Command& command) {
  if (!lift(moderator, room.muted, command.name)) return;
  events_.broadcast(room.id, 0,
                    {.kind = Event::Kind::unmuted,
                     .room = room.name,
                     .actor = moderator.nickname,
                     .name = command.name});
}

}  // namespace tern::chat
