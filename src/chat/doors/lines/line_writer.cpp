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

// With {name} and {limit} of the event, and {guest}, how guests' names begin.
struct ProblemRow {
  Problem problem;
  std::string_view text;
};

constexpr auto problem_rows = std::to_array<ProblemRow>({
    {Problem::none, "nothing is wrong"},
    {Problem::server_full, "the server is full: {limit} members are here; come again later"},
    {Problem::no_room, "you are in no room; /join ROOM enters one, /rooms lists them"},
    {Problem::not_in_room, "you are not in {name}; /join {name} enters it"},
    {Problem::no_such_room, "there is no room {name}; /rooms lists them"},
    {Problem::bad_room_name,
     "a room's name has letters, digits, - and _, a letter first, at most {limit} of them; try "
     "/join lobby"},
    {Problem::room_full, "{name} is full: {limit} members are in it; come again later"},
    {Problem::rooms_full, "there are {limit} rooms already; /rooms lists some to join"},
    {Problem::joins_full, "you are in {limit} rooms already; /leave ROOM leaves one"},
    {Problem::bad_nickname,
     "a name has letters, digits, - and _, a letter first, at most {limit} of them; try /nick "
     "alice"},
    {Problem::guest_name,
     "names that begin with {guest} are given by the server; choose another one"},
    {Problem::name_taken, "{name} is somebody else's name; choose another one"},
    {Problem::name_reserved, "{name} is reserved; if it is yours, write /nick {name} PASSWORD"},
    {Problem::name_free, "{name} is not reserved and has no password; write /nick {name}"},
    {Problem::wrong_password, "that is not the password of {name}"},
    {Problem::wrong_passwords, "that makes {limit} wrong passwords; goodbye"},
    {Problem::password_busy,
     "too many passwords are being tried; try /nick {name} again in a while"},
    {Problem::nobody, "nobody is called {name}; /who lists the names in your room"},
    {Problem::topic_long, "a topic has at most {limit} bytes; write a shorter one"},
    {Problem::not_moderator,
     "that is for {name}, who has been here for longest, and for operators"},
    {Problem::moderates_all, "{name} is an operator of this server; operators alone may do that"},
    {Problem::not_here, "{name} is not in this room; /who lists who is"},
    {Problem::yourself, "that is your own name; /leave leaves the room"},
    {Problem::banned, "you are banned from {name}; /rooms lists others"},
    {Problem::muted,
     "you are muted in {name}: you may listen; ask who moderates it, with an @ in /who"},
    {Problem::already, "{name} is that already"},
    {Problem::not_listed, "{name} is not on the list; /ban and /mute without a name show them"},
    {Problem::ban_list_full, "the list holds {limit} names already; take one off before"},
});

// Each problem has its row, and they are in the same order.
static_assert([] {
  for (std::size_t i = 0; i < problem_rows.size(); ++i) {
    if (problem_rows[i].problem != static_cast<Problem>(i)) return false;
  }
  return problem_rows.size() == static_cast<std::size_t>(Problem::count);
}());

std::string problem_text(const Event& event) {
  std::string text;
  std::string_view rest = problem_rows[static_cast<std::size_t>(event.problem)].text;
  for (std::size_t at = rest.find('{'); at != std::string_view::npos; at = rest.find('{')) {
    const std::size_t end = rest.find('}', at);
    const std::string_view word = rest.substr(at + 1, end - at - 1);
    append(text, rest.substr(0, at),
           word == "name"    ? std::string(event.name)
           : word == "limit" ? number(event.limit)
                             : std::string(guest_prefix));
    rest.remove_prefix(end + 1);
  }
  return text.append(rest);
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

void LineDoor::write(const Event& event, std::string& out) const {
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
