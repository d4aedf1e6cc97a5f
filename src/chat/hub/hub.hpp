// Hub: rooms, members, nicknames, topics and what was said last; the whole state of a chat.
//
//     a door ── Command ──► Hub ── Event ──► HubEvents ──► doors
//
//   Pure: no socket, no thread, no clock, and no idea how a door writes things down. A door turns
//   what it receives into commands and events into what its clients read; a room does not know
//   through which doors its members came.
//
//   OWNERSHIP  Owns rooms and members; the sink of events must outlive it.
//   THREAD     One. However many reactors serve members, commands come here one after another: that
//              is the order of everything.
//   INVARIANTS 1  One order: each command is carried out whole before the next, and its events are
//                 given to the sink before handle() returns. So one sender's messages keep their
//                 order, and all members of a room hear one order.
//              2  What is said in a room goes to everyone in it at that moment, once, and never to
//                 who said it.
//              3  After exited() nothing said in the room goes to that member; after dismissed()
//                 nothing at all does.
//              4  Names are unique without regard to case.
//              5  Memory is bounded by HubLimits: members_max members with their names, and
//                 rooms_max rooms with history_lines_max lines of history_bytes_max together, and
//                 bans_max bans and as many mutes.
//              6  A room with members has one who moderates it: who has been in it for longest.
//   ERRORS     What is not possible is told to who asked, as an event with a Problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/chat/hub/part_reason.hpp"

namespace tern::chat {

// Given by who brings a member in; never 0, and never used again.
using MemberId = std::uint64_t;
// Given by the hub; never used again, not even for a room of the same name.
using RoomId = std::uint64_t;
// Seconds since 1970-01-01 00:00 UTC.
using UnixTime = std::int64_t;

struct HubLimits {
  std::size_t members_max = 100'000;
  // Rooms, those without members included: they are kept for their topic and history, and the one
  // that has been empty for longest makes place for a new one.
  std::size_t rooms_max = 10'000;
  std::size_t room_members_max = 50'000;
  std::size_t joins_max = 20;  // rooms that one member may be in at once
  std::size_t name_bytes_max = 32;
  std::size_t topic_bytes_max = 400;
  // Lines kept of each room, and their text together; a longer one is kept alone.
  std::size_t history_lines_max = 100;
  std::size_t history_bytes_max = 16 * 1024;
  std::size_t replay_lines_max = 20;  // of these, told to who joins
  // Entries of an answer to `rooms` and `who`; how many more there are is said.
  std::size_t rooms_listed_max = 50;
  std::size_t members_listed_max = 200;
  // Bans of each room, and mutes.
  std::size_t bans_max = 100;
  // A member that has been wrong so often about a password is dismissed.
  unsigned wrong_passwords_max = 3;
};

// Names that only who knows their passwords may have; all folded (text.hpp).
struct ReservedNames {
  std::set<std::string> reserved;
  // May moderate every room, and are moderated by each other alone. One that is not reserved does
  // not count: anybody could take the name.
  std::set<std::string> operators;
};

// What came of looking at a password.
enum class PasswordResult : std::uint8_t {
  right,
  wrong,
  busy,  // it has not been looked at: too many were to be
};

struct Command {
  enum class Kind : std::uint8_t {
    say,    // text, in the current room
    nick,   // name; text: its password, or empty
    join,   // name: a room
    leave,  // name: a room, or empty: the current one
    rooms,
    who,      // name: a room, or empty: the current one
    whisper,  // name, text
    emote,    // text
    topic,    // text; empty: show it
    history,  // count: at most so many lines, 0: all that are kept
    kick,     // name; text: the reason, or empty
    ban,      // name, or empty: list them
    unban,    // name
    mute,     // name, or empty: list them
    unmute,   // name
    // The door's own answer (help, a line that is no command): it comes back as an event, so that
    // answers keep the order of what they answer.
    answer,  // text
    quit,
  };
  Kind kind = Kind::say;
  std::string name = {};
  std::string text = {};
  std::size_t count = 0;
};

enum class Problem : std::uint8_t {
  none,
  server_full,      // limit
  no_room,          // the member is in none
  not_in_room,      // name
  no_such_room,     // name
  bad_room_name,    // name, limit
  room_full,        // name, limit
  rooms_full,       // limit
  joins_full,       // limit
  bad_nickname,     // name, limit
  guest_name,       // name
  name_taken,       // name
  name_reserved,    // name
  name_free,        // name: a password was given for it
  wrong_password,   // name
  wrong_passwords,  // limit
  password_busy,    // name
  nobody,           // name
  topic_long,       // limit
  not_moderator,    // name: who is
  moderates_all,    // name: of an operator
  not_here,         // name: of no member of the current room
  yourself,
  banned,         // name: the room
  muted,          // name: the room
  already,        // name: has been banned or muted before
  not_listed,     // name: is neither, as was asked
  ban_list_full,  // limit
  count,          // of these
};

// One line of a room's history.
struct Message {
  UnixTime time = 0;
  bool is_emote = false;
  std::string author;
  std::string text;
};

struct MemberSummary {
  std::string_view name;
  bool is_moderator = false;
};

struct RoomSummary {
  std::string_view name;
  std::string_view topic;
  std::size_t members = 0;
};

// Something to be told. What it points to is valid during the call only.
struct Event {
  enum class Kind : std::uint8_t {
    welcome,      // actor: the name that was given
    said,         // room, actor, text
    emoted,       // room, actor, text
    whisper,      // actor, text
    whispered,    // name: it has reached them
    joined,       // room, actor                       presence
    left,         // room, actor, reason               presence
    renamed,      // room, actor, name: the new one    presence
    you_joined,   // room, text: the topic, count: members
    you_left,     // room; name: the current room now, or empty
    you_renamed,  // name
    talking,      // room: it is the current one now
    topic_set,    // room, actor, text
    topic,        // room, text
    history,      // room, messages
    rooms,        // rooms, count: of all
    who,          // room, members, count: of all
    moderator,    // room: it is yours to moderate now
    kicked,       // room, actor, name, text: the reason, or empty
    banned,       // room, actor, name
    unbanned,     // room, actor, name
    muted,        // room, actor, name
    unmuted,      // room, actor, name
    bans,         // room, names
    mutes,        // room, names
    goodbye,
    answer,   // text, as the door gave it
    problem,  // problem, name, limit
  };
  Kind kind = Kind::answer;
  std::string_view room = {};
  std::string_view actor = {};
  std::string_view name = {};
  std::string_view text = {};
  PartReason reason = PartReason::room;
  Problem problem = Problem::none;
  std::size_t count = 0;
  std::size_t limit = 0;
  std::span<const Message* const> messages = {};
  std::span<const RoomSummary> rooms = {};
  std::span<const MemberSummary> members = {};
  std::span<const std::string_view> names = {};
};

// Who comes and goes: the first thing to be left out where there is no room for everything.
bool is_presence(Event::Kind kind);

// Where events go: who carries them to members.
class HubEvents {
 public:
  virtual void send_to(MemberId member, const Event& event) = 0;
  // Everyone in the room but one; 0: everyone.
  virtual void broadcast(RoomId room, MemberId except, const Event& event) = 0;
  virtual void entered(RoomId room, MemberId member) = 0;
  virtual void exited(RoomId room, MemberId member) = 0;
  // Whether that is the name's password: the answer is to be given to verified(), later and once.
  virtual void verify(MemberId /*member*/, std::string_view /*name*/,
                      std::string_view /*password*/) {}
  // A room's history has one line more.
  virtual void kept(std::string_view /*room*/, const Message& /*message*/) {}
  // The hub has forgotten the member; its connection is to be ended.
  virtual void dismissed(MemberId member) = 0;

 protected:
  ~HubEvents() = default;
};

class Hub {
 public:
  Hub(const HubLimits& limits, HubEvents& events);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Welcomes a member under a guest's name; dismisses it when the hub is full.
  void arrive(MemberId member);
  // A command of a member that is not here (any more) does nothing. REQUIRES checked text without
  // line breaks in `text`; names are checked here.
  void handle(MemberId member, const Command& command, UnixTime now);
  // The answer to HubEvents::verify(). Nothing for a member that is not here (any more).
  void verified(MemberId member, PasswordResult result);
  // Whether the answer is still to come: the member's next commands had better wait for it.
  bool is_verifying(MemberId member) const;
  // What there is above a lower limit stays; nothing is added to it.
  void set_limits(const HubLimits& limits) { limits_ = limits; }
  // Who has a name that is reserved from now on gets a guest's name.
  void set_reserved_names(ReservedNames names);
  // Its connection is gone or going: others are told. Nothing for a member that is not here.
  void gone(MemberId member, PartReason why);

  // A line of an earlier run; those of a room come in order. Nothing for a name that is none.
  void restore(const std::string& room, Message message);
  // Every line of history, room by room, in order.
  void for_each_message(
      const std::function<void(std::string_view room, const Message& message)>& call) const;

  std::size_t members() const { return members_.size(); }
  std::size_t rooms() const { return rooms_.size(); }
  // Text held for history, all rooms together.
  std::size_t history_bytes() const { return history_bytes_; }
  // What is kept of a room, the oldest first; null: there is no such room.
  const std::deque<Message>* history(std::string_view room) const;

 private:
  struct Room;
  struct Member;
  struct BanEntry;
  using BanList = std::vector<BanEntry>;

  void say(Member& member, const Command& command, UnixTime now);
  void whisper(const Member& member, const Command& command);
  void rename(Member& member, const Command& command);
  void take_name(Member& member, const std::string& name);
  void join(Member& member, const std::string& name);
  void leave(Member& member, const std::string& name);
  void topic(const Member& member, const std::string& text);
  void list_rooms(const Member& member);
  void list_members(const Member& member, const std::string& name);
  void replay(const Member& member, const Room& room, std::size_t count);

  // hub_moderation.cpp
  using Moderation = void (Hub::*)(const Member& moderator, Room& room, const Command& command);
  void moderate(const Member& member, const Command& command, Moderation action);
  void kick(const Member& moderator, Room& room, const Command& command);
  void ban(const Member& moderator, Room& room, const Command& command);
  void unban(const Member& moderator, Room& room, const Command& command);
  void mute(const Member& moderator, Room& room, const Command& command);
  void unmute(const Member& moderator, Room& room, const Command& command);
  bool lift(const Member& moderator, BanList& list, const std::string& name);
  void show(const Member& member, BanList Room::*list, Event::Kind kind);
  bool is_operator(std::string_view name) const;
  bool is_on(const BanList& list, const Member& member) const;
  bool add_to(const Member& moderator, BanList& list, const std::string& name);
  void remove_from_room(Room& room, Member& member);
  // Null: it has been told why not.
  Member* other_in(const Member& moderator, const Room& room, const std::string& name);

  Room* find_room(std::string_view name);
  // The current room, or the named one if the member is in it; null: it has been told why not.
  Room* room_of(const Member& member, const std::string& name);
  // Problem::none: there is a new room.
  Problem make_room(const std::string& name, Room*& room);
  // Who moderates the room after who was first has gone is told so by announce_moderator().
  void remove(Room& room, Member& member);
  // ... and tells who is taken out.
  void take_out(Room& room, Member& member);
  void announce_moderator(Room& room);
  Member* find_member(std::string_view name);
  void part(Member& member, PartReason why);
  void remember(Room& room, Message message);
  void forget_oldest(Room& room);
  std::string guest_name();
  void refuse(const Member& member, Problem problem, std::string_view name = {},
              std::size_t limit = 0);

  HubLimits limits_;
  HubEvents& events_;
  std::unordered_map<MemberId, std::unique_ptr<Member>> members_;
  std::unordered_map<std::string, Member*> nicknames_;  // folded
  ReservedNames reserved_names_;
  std::unordered_map<std::string, std::unique_ptr<Room>> rooms_;  // folded
  std::list<Room*> empty_rooms_;                                  // the longest empty one first
  RoomId next_room_ = 1;
  std::uint64_t next_guest_ = 1;
  std::size_t history_bytes_ = 0;
};

}  // namespace tern::chat
