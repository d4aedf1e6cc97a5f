// Events as lines: the outgoing half of the line door.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/hub/names.hpp"

namespace tern::chat {
namespace {

// A line of names is broken before it gets longer than this.
constexpr std::size_t names_bytes_max = 400;

template <class... Parts>
void append(std::string& out, const Parts&... parts) {
  (out.append(parts), ...);
}

std::string number(std::size_t value) { return std::to_string(value); }

// 2026-11-21T13:05:09Z; the calendar of https://howardhinnant.github.io/date_algorithms.html
std::string time_text(UnixTime time) {
  constexpr UnixTime day_seconds = 86'400;
  UnixTime days = time / day_seconds;
  UnixTime seconds = time % day_seconds;
  if (seconds < 0) {
    seconds += day_seconds;
    --days;
  }
  days += 719'468;
  const UnixTime era = (days >= 0 ? days : days - 146'096) / 146'097;
  const UnixTime day_of_era = days - era * 146'097;
  const UnixTime year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const UnixTime day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const UnixTime month_index = (5 * day_of_year + 2) / 153;
  const UnixTime day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const UnixTime month = month_index < 10 ? month_index + 3 : month_index - 9;
  const UnixTime year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ",
                static_cast<long long>(year), static_cast<long long>(month),
                static_cast<long long>(day), static_cast<long long>(seconds / 3600),
                static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  return text.data();
}

std::string part_text(PartReason reason) {
  if (reason == PartReason::quit) return " the chat";
  const std::string_view text = row_of(reason).text;
  return text.empty() ? "" : ": " + std::string(text);
}

std::string problem_text(const Event& event) {
  const std::string name(event.name);
  const std::string limit = number(event.limit);
  switch (event.problem) {
    case Problem::none:
      return "nothing is wrong";
    case Problem::server_full:
      return "the server is full: " + limit + " members are here; come again later";
    case Problem::no_room:
      return "you are in no room; /join ROOM enters one, /rooms lists them";
    case Problem::not_in_room:
      return "you are not in " + name + "; /join " + name + " enters it";
    case Problem::no_such_room:
      return "there is no room " + name + "; /rooms lists them";
    case Problem::bad_room_name:
      return "a room's name has letters, digits, - and _, a letter first, at most " + limit +
             " of them; try /join lobby";
    case Problem::room_full:
      return name + " is full: " + limit + " members are in it; come again later";
    case Problem::rooms_full:
      return "there are " + limit + " rooms already; /rooms lists some to join";
    case Problem::joins_full:
      return "you are in " + limit + " rooms already; /leave ROOM leaves one";
    case Problem::bad_nickname:
      return "a name has letters, digits, - and _, a letter first, at most " + limit +
             " of them; try /nick alice";
    case Problem::guest_name:
      return "names that begin with " + std::string(guest_prefix) +
             " are given by the server; choose another one";
    case Problem::name_taken:
      return name + " is somebody else's name; choose another one";
    case Problem::name_reserved:
      return name + " is reserved; if it is yours, write /nick " + name + " PASSWORD";
    case Problem::name_free:
      return name + " is not reserved and has no password; write /nick " + name;
    case Problem::wrong_password:
      return "that is not the password of " + name;
    case Problem::wrong_passwords:
      return "that makes " + limit + " wrong passwords; goodbye";
    case Problem::password_busy:
      return "too many passwords are being tried; try /nick " + name + " again in a while";
    case Problem::nobody:
      return "nobody is called " + name + "; /who lists the names in your room";
    case Problem::topic_long:
      return "a topic has at most " + limit + " bytes; write a shorter one";
    case Problem::not_moderator:
      return "that is for " + name + ", who has been here for longest, and for operators";
    case Problem::moderates_all:
      return name + " is an operator of this server; operators alone may do that";
    case Problem::not_here:
      return name + " is not in this room; /who lists who is";
    case Problem::yourself:
      return "that is your own name; /leave leaves the room";
    case Problem::banned:
      return "you are banned from " + name + "; /rooms lists others";
    case Problem::muted:
      return "you are muted in " + name +
             ": you may listen; ask who moderates it, with an @ in /who";
    case Problem::already:
      return name + " is that already";
    case Problem::not_listed:
      return name + " is not on the list; /ban and /mute without a name show them";
    case Problem::ban_list_full:
      return "the list holds " + limit + " names already; take one off before";
  }
  return "that is not possible";
}

// "-- head: name name", on as many lines as it takes.
class NameLines {
 public:
  NameLines(std::string head, std::string& out) : head_(std::move(head)), line_(head_), out_(out) {}
  ~NameLines() { append(out_, line_, "\n"); }
  NameLines(const NameLines&) = delete;
  NameLines& operator=(const NameLines&) = delete;

  void add(std::string_view mark, std::string_view name) {
    if (line_.size() + 1 + mark.size() + name.size() > names_bytes_max) {
      append(out_, line_, "\n");
      line_ = head_;
    }
    append(line_, " ", mark, name);
  }

 private:
  std::string head_;
  std::string line_;
  std::string& out_;
};

void format_who(const Event& event, std::string& out) {
  const std::string head = "-- " + std::string(event.room) + ":";
  {
    NameLines lines(head, out);
    for (const MemberSummary& member : event.members) {
      lines.add(member.is_moderator ? "@" : "", member.name);
    }
  }
  if (event.count > event.members.size()) {
    append(out, head, " and ", number(event.count - event.members.size()), " more\n");
  }
}

void format_ban_list(const Event& event, std::string_view what, std::string& out) {
  if (event.names.empty()) return append(out, "-- nobody is ", what, event.room, "\n");
  NameLines lines("-- " + std::string(what) + std::string(event.room) + ":", out);
  for (const std::string_view name : event.names) lines.add("", name);
}

void format_moderation(const Event& event, std::string_view what, std::string& out) {
  append(out, "[", event.room, "] -- ", event.name, what, " by ", event.actor);
  if (!event.text.empty()) append(out, ": ", event.text);
  out += "\n";
}

void format_rooms(const Event& event, std::string& out) {
  if (event.rooms.empty()) out += "-- nobody is in any room; /join ROOM makes one\n";
  for (const RoomSummary& room : event.rooms) {
    append(out, "-- ", room.name, " (", number(room.members), ")");
    if (!room.topic.empty()) append(out, ": ", room.topic);
    out += "\n";
  }
  if (event.count > event.rooms.size()) {
    append(out, "-- and ", number(event.count - event.rooms.size()), " more rooms\n");
  }
}

void format_history(const Event& event, std::string& out) {
  if (event.messages.empty()) append(out, "-- nothing was said in ", event.room, " yet\n");
  for (const Message* message : event.messages) {
    append(out, "[", event.room, " ", time_text(message->time), "] ", message->is_emote ? "* " : "",
           message->author, message->is_emote ? " " : ": ", message->text, "\n");
  }
}

void format_you_joined(const Event& event, std::string& out) {
  const std::size_t others = event.count - 1;
  append(out, "-- you are in ", event.room,
         others == 0   ? ", alone; you moderate it"
         : others == 1 ? " with 1 other"
                       : " with " + number(others) + " others");
  if (!event.text.empty()) append(out, "; topic: ", event.text);
  out += "\n";
}

}  // namespace

void format_lines(const Event& event, std::string& out) {
  switch (event.kind) {
    case Event::Kind::welcome:
      return append(out, "-- welcome, you are ", event.actor,
                    "; /join ROOM enters a room, /help lists the commands\n");
    case Event::Kind::said:
      return append(out, "[", event.room, "] ", event.actor, ": ", event.text, "\n");
    case Event::Kind::emoted:
      return append(out, "[", event.room, "] * ", event.actor, " ", event.text, "\n");
    case Event::Kind::whisper:
      return append(out, "(private) ", event.actor, ": ", event.text, "\n");
    case Event::Kind::whispered:
      return append(out, "-- sent to ", event.name, "\n");
    case Event::Kind::joined:
      return append(out, "[", event.room, "] -- ", event.actor, " joined\n");
    case Event::Kind::left:
      return append(out, "[", event.room, "] -- ", event.actor, " left", part_text(event.reason),
                    "\n");
    case Event::Kind::renamed:
      return append(out, "[", event.room, "] -- ", event.actor, " is now ", event.name, "\n");
    case Event::Kind::you_joined:
      return format_you_joined(event, out);
    case Event::Kind::you_left:
      append(out, "-- you left ", event.room);
      return event.name.empty() ? append(out, "\n")
                                : append(out, "; you talk in ", event.name, " now\n");
    case Event::Kind::you_renamed:
      return append(out, "-- you are ", event.name, " now\n");
    case Event::Kind::talking:
      return append(out, "-- you talk in ", event.room, " now\n");
    case Event::Kind::topic_set:
      return append(out, "[", event.room, "] -- ", event.actor, " set the topic: ", event.text,
                    "\n");
    case Event::Kind::topic:
      return event.text.empty()
                 ? append(out, "-- ", event.room, " has no topic; /topic TEXT sets one\n")
                 : append(out, "-- the topic of ", event.room, ": ", event.text, "\n");
    case Event::Kind::history:
      return format_history(event, out);
    case Event::Kind::rooms:
      return format_rooms(event, out);
    case Event::Kind::who:
      return format_who(event, out);
    case Event::Kind::moderator:
      return append(out, "-- you moderate ", event.room,
                    " now; /help kick and /help ban tell more\n");
    case Event::Kind::kicked:
      return format_moderation(event, " was kicked", out);
    case Event::Kind::banned:
      return format_moderation(event, " was banned", out);
    case Event::Kind::unbanned:
      return format_moderation(event, " was unbanned", out);
    case Event::Kind::muted:
      return format_moderation(event, " was muted", out);
    case Event::Kind::unmuted:
      return format_moderation(event, " was unmuted", out);
    case Event::Kind::bans:
      return format_ban_list(event, "banned from ", out);
    case Event::Kind::mutes:
      return format_ban_list(event, "muted in ", out);
    case Event::Kind::goodbye:
      return append(out, "-- goodbye\n");
    case Event::Kind::answer:
      return append(out, event.text);
    case Event::Kind::problem:
      return append(out, "!! ", problem_text(event), "\n");
  }
}

std::size_t answer_bytes_max(const HubLimits& limits) {
  // Two names, and what stands around them.
  const std::size_t head = 2 * limits.name_bytes_max + 48;
  const std::size_t history = std::min(limits.history_lines_max, limits.history_bytes_max) * head +
                              limits.history_bytes_max;
  const std::size_t rooms = limits.rooms_listed_max * (head + limits.topic_bytes_max);
  const std::size_t names = std::max(limits.members_listed_max, limits.bans_max) * head;
  const std::size_t line = head + std::max(line_bytes_max, limits.topic_bytes_max);
  return std::max({history, rooms, names}) + line;
}

}  // namespace tern::chat
