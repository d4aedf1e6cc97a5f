#include "src/chat/hub/hub.hpp"

#include <algorithm>
#include <utility>

#include "src/chat/hub/hub_state.hpp"
#include "src/chat/hub/names.hpp"

namespace tern::chat {
bool is_presence(Event::Kind kind) {
  return kind == Event::Kind::joined || kind == Event::Kind::left || kind == Event::Kind::renamed;
}

Hub::Hub(const HubLimits& limits, HubEvents& events) : limits_(limits), events_(events) {}
Hub::~Hub() = default;

// --- coming and going ---

void Hub::arrive(MemberId id) {
  if (members_.size() >= limits_.members_max) {
    events_.send_to(id, {.kind = Event::Kind::problem,
                         .problem = Problem::server_full,
                         .limit = limits_.members_max});
    return events_.dismissed(id);
  }
  auto [it, is_new] = members_.try_emplace(id, std::make_unique<Member>());
  if (!is_new) return;
  Member& member = *it->second;
  member.id = id;
  member.nickname = guest_name();
  nicknames_.emplace(member.nickname, &member);
  events_.send_to(id, {.kind = Event::Kind::welcome, .actor = member.nickname});
}

void Hub::gone(MemberId id, PartReason why) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  part(*it->second, why);
  nicknames_.erase(folded(it->second->nickname));
  members_.erase(it);
}

// Leaves every room.
void Hub::part(Member& member, PartReason why) {
  while (!member.places.empty()) {
    Room& room = *member.places.back().room;
    remove(room, member);
    events_.broadcast(
        room.id, 0,
        {.kind = Event::Kind::left, .room = room.name, .actor = member.nickname, .reason = why});
    announce_moderator(room);
  }
}

void Hub::remove(Room& room, Member& member) {
  const Member::Place* place = member.place_in(room);
  room.has_new_moderator = room.moderator() == &member && room.members.size() > 1;
  room.members.erase(place->position);
  member.places.erase(member.places.begin() + (place - member.places.data()));
  if (room.members.empty()) room.empty_place = empty_rooms_.insert(empty_rooms_.end(), &room);
  events_.exited(room.id, member.id);
}

void Hub::take_out(Room& room, Member& member) {
  remove(room, member);
  const Room* current = member.current();
  events_.send_to(member.id, {.kind = Event::Kind::you_left,
                              .room = room.name,
                              .name = current == nullptr ? std::string_view() : current->name});
}

void Hub::announce_moderator(Room& room) {
  if (!std::exchange(room.has_new_moderator, false)) return;
  events_.send_to(room.moderator()->id, {.kind = Event::Kind::moderator, .room = room.name});
}

// --- commands ---

void Hub::handle(MemberId id, const Command& command, UnixTime now) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  Member& member = *it->second;
  switch (command.kind) {
    case Command::Kind::say:
    case Command::Kind::emote:
      return say(member, command, now);
    case Command::Kind::whisper:
      return whisper(member, command);
    case Command::Kind::nick:
      return rename(member, command);
    case Command::Kind::join:
      return join(member, command.name);
    case Command::Kind::leave:
      return leave(member, command.name);
    case Command::Kind::topic:
      return topic(member, command.text);
    case Command::Kind::rooms:
      return list_rooms(member);
    case Command::Kind::who:
      return list_members(member, command.name);
    case Command::Kind::history:
      if (const Room* room = room_of(member, {})) replay(member, *room, command.count);
      return;
    case Command::Kind::kick:
      return moderate(member, command, &Hub::kick);
    case Command::Kind::ban:
      if (command.name.empty()) return show(member, &Room::banned, Event::Kind::bans);
      return moderate(member, command, &Hub::ban);
    case Command::Kind::unban:
      return moderate(member, command, &Hub::unban);
    case Command::Kind::mute:
      if (command.name.empty()) return show(member, &Room::muted, Event::Kind::mutes);
      return moderate(member, command, &Hub::mute);
    case Command::Kind::unmute:
      return moderate(member, command, &Hub::unmute);
    case Command::Kind::quit:
      events_.send_to(id, {.kind = Event::Kind::goodbye});
      gone(id, PartReason::quit);
      return events_.dismissed(id);
    case Command::Kind::answer:
      return events_.send_to(id, {.kind = Event::Kind::answer, .text = command.text});
  }
}

void Hub::say(Member& member, const Command& command, UnixTime now) {
  Room* room = room_of(member, {});
  if (room == nullptr) return;
  if (is_on(room->muted, member)) return refuse(member, Problem::muted, room->name);
  const bool is_emote = command.kind == Command::Kind::emote;
  events_.broadcast(room->id, member.id,
                    {.kind = is_emote ? Event::Kind::emoted : Event::Kind::said,
                     .room = room->name,
                     .actor = member.nickname,
                     .text = command.text});
  if (limits_.history_lines_max == 0) return;
  Message message{now, is_emote, member.nickname, command.text};
  events_.kept(room->name, message);
  remember(*room, std::move(message));
}

void Hub::whisper(const Member& member, const Command& command) {
  const Member* found = find_member(command.name);
  if (found == nullptr) return refuse(member, Problem::nobody, command.name);
  const Member& other = *found;
  // To oneself it comes once: as what was received.
  events_.send_to(other.id,
                  {.kind = Event::Kind::whisper, .actor = member.nickname, .text = command.text});
  if (&other == &member) return;
  events_.send_to(member.id, {.kind = Event::Kind::whispered, .name = other.nickname});
}

void Hub::join(Member& member, const std::string& name) {
  Room* room = find_room(name);
  if (room != nullptr && member.is_in(*room)) {  // then it becomes the current one
    const auto place = member.places.begin() + (member.place_in(*room) - member.places.data());
    std::rotate(place, place + 1, member.places.end());
    return events_.send_to(member.id, {.kind = Event::Kind::talking, .room = room->name});
  }
  if (room != nullptr && is_on(room->banned, member)) {
    return refuse(member, Problem::banned, room->name);
  }
  if (member.places.size() >= limits_.joins_max) {
    return refuse(member, Problem::joins_full, {}, limits_.joins_max);
  }
  if (room != nullptr && room->members.size() >= limits_.room_members_max) {
    return refuse(member, Problem::room_full, room->name, limits_.room_members_max);
  }
  if (room == nullptr) {
    const Problem problem = make_room(name, room);
    const std::size_t limit =
        problem == Problem::rooms_full ? limits_.rooms_max : limits_.name_bytes_max;
    if (problem != Problem::none) return refuse(member, problem, name, limit);
  }
  if (room->members.empty()) empty_rooms_.erase(room->empty_place);
  events_.broadcast(room->id, 0,
                    {.kind = Event::Kind::joined, .room = room->name, .actor = member.nickname});
  member.places.push_back({room, room->members.insert(room->members.end(), &member)});
  events_.entered(room->id, member.id);
  events_.send_to(member.id, {.kind = Event::Kind::you_joined,
                              .room = room->name,
                              .text = room->topic,
                              .count = room->members.size()});
  if (!room->history.empty() && limits_.replay_lines_max > 0) {
    replay(member, *room, limits_.replay_lines_max);
  }
}

void Hub::leave(Member& member, const std::string& name) {
  Room* room = room_of(member, name);
  if (room == nullptr) return;
  take_out(*room, member);
  events_.broadcast(room->id, 0,
                    {.kind = Event::Kind::left, .room = room->name, .actor = member.nickname});
  announce_moderator(*room);
}

void Hub::topic(const Member& member, const std::string& text) {
  Room* room = room_of(member, {});
  if (room == nullptr) return;
  if (text.empty()) {
    return events_.send_to(member.id,
                           {.kind = Event::Kind::topic, .room = room->name, .text = room->topic});
  }
  if (is_on(room->muted, member)) return refuse(member, Problem::muted, room->name);
  if (text.size() > limits_.topic_bytes_max) {
    return refuse(member, Problem::topic_long, {}, limits_.topic_bytes_max);
  }
  room->topic = text;
  events_.broadcast(room->id, 0,
                    {.kind = Event::Kind::topic_set,
                     .room = room->name,
                     .actor = member.nickname,
                     .text = room->topic});
}

void Hub::list_rooms(const Member& member) {
  std::vector<const Room*> open;
  for (const auto& [key, room] : rooms_) {
    if (!room->members.empty()) open.push_back(room.get());
  }
  const std::size_t listed = std::min(open.size(), limits_.rooms_listed_max);
  std::partial_sort(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(listed), open.end(),
                    [](const Room* left, const Room* right) {
                      return left->members.size() != right->members.size()
                                 ? left->members.size() > right->members.size()
                                 : left->key < right->key;
                    });
  std::vector<RoomSummary> rows;
  for (std::size_t i = 0; i < listed; ++i) {
    rows.push_back({open[i]->name, open[i]->topic, open[i]->members.size()});
  }
  events_.send_to(member.id, {.kind = Event::Kind::rooms, .count = open.size(), .rooms = rows});
}

void Hub::list_members(const Member& member, const std::string& name) {
  // Who is where is no secret: anybody may join and see.
  const Room* room = name.empty() ? room_of(member, {}) : find_room(name);
  if (room == nullptr) {
    if (!name.empty()) refuse(member, Problem::no_such_room, name);
    return;
  }
  // Whoever moderates is the first, and so is always among those who are listed.
  std::vector<MemberSummary> rows;
  for (const Member* other : room->members) {
    if (rows.size() == limits_.members_listed_max) break;
    rows.push_back({other->nickname, other == room->moderator() || is_operator(other->nickname)});
  }
  std::sort(rows.begin(), rows.end(), [](const MemberSummary& left, const MemberSummary& right) {
    return left.name < right.name;
  });
  events_.send_to(member.id, {.kind = Event::Kind::who,
                              .room = room->name,
                              .count = room->members.size(),
                              .members = rows});
}

// --- rooms ---

Hub::Member* Hub::find_member(std::string_view name) {
  const auto it = nicknames_.find(folded(name));
  return it == nicknames_.end() ? nullptr : it->second;
}

Hub::Room* Hub::find_room(std::string_view name) {
  const auto it = rooms_.find(folded(name));
  return it == rooms_.end() ? nullptr : it->second.get();
}

Hub::Room* Hub::room_of(const Member& member, const std::string& name) {
  if (name.empty()) {
    if (member.current() == nullptr) refuse(member, Problem::no_room);
    return member.current();
  }
  Room* room = find_room(name);
  if (room != nullptr && member.is_in(*room)) return room;
  refuse(member, Problem::not_in_room, name);
  return nullptr;
}

Problem Hub::make_room(const std::string& name, Room*& room) {
  if (!is_name(name, limits_.name_bytes_max)) return Problem::bad_room_name;
  if (rooms_.size() >= limits_.rooms_max) {
    if (empty_rooms_.empty()) return Problem::rooms_full;
    Room& oldest = *empty_rooms_.front();
    empty_rooms_.pop_front();
    history_bytes_ -= oldest.history_bytes;
    rooms_.erase(std::string(oldest.key));
  }
  std::string key = folded(name);
  auto made = std::make_unique<Room>();
  made->id = next_room_++;
  made->key = key;
  made->name = name;
  made->empty_place = empty_rooms_.insert(empty_rooms_.end(), made.get());
  room = rooms_.emplace(std::move(key), std::move(made)).first->second.get();
  return Problem::none;
}

// --- history ---

const std::deque<Message>* Hub::history(std::string_view name) const {
  const auto it = rooms_.find(folded(name));
  return it == rooms_.end() ? nullptr : &it->second->history;
}

void Hub::remember(Room& room, Message message) {
  const std::size_t bytes = message.text.size();
  room.history.push_back(std::move(message));
  room.history_bytes += bytes;
  history_bytes_ += bytes;
  while (room.history.size() > limits_.history_lines_max ||
         (room.history.size() > 1 && room.history_bytes > limits_.history_bytes_max)) {
    forget_oldest(room);
  }
}

void Hub::restore(const std::string& name, Message message) {
  if (limits_.history_lines_max == 0) return;
  Room* room = find_room(name);
  if (room == nullptr && make_room(name, room) != Problem::none) return;
  remember(*room, std::move(message));
}

void Hub::for_each_message(
    const std::function<void(std::string_view room, const Message& message)>& call) const {
  for (const auto& [key, room] : rooms_) {
    for (const Message& message : room->history) call(room->name, message);
  }
}

void Hub::forget_oldest(Room& room) {
  const std::size_t bytes = room.history.front().text.size();
  room.history_bytes -= bytes;
  history_bytes_ -= bytes;
  room.history.pop_front();
}

void Hub::replay(const Member& member, const Room& room, std::size_t count) {
  std::vector<const Message*> messages;
  const std::size_t kept = room.history.size();
  const std::size_t wanted = count == 0 ? kept : std::min(count, kept);
  for (std::size_t i = kept - wanted; i < kept; ++i) messages.push_back(&room.history[i]);
  events_.send_to(member.id,
                  {.kind = Event::Kind::history, .room = room.name, .messages = messages});
}

void Hub::refuse(const Member& member, Problem problem, std::string_view name, std::size_t limit) {
  events_.send_to(member.id,
                  {.kind = Event::Kind::problem, .name = name, .problem = problem, .limit = limit});
}

}  // namespace tern::chat
