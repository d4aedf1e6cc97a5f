// What members may type: the one list of commands. Parsing, /help, the table in docs/chat.md and
// what the tests try at random are made from it, or compared with it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "src/chat/hub/hub.hpp"

namespace tern::chat {

// What stands behind the name of a command; a name is one word, a text all that is left.
enum class Arguments : std::uint8_t {
  ignored,
  name,
  optional_name,
  text,
  optional_text,
  name_and_text,
  name_and_optional_text,
  optional_count,
};

struct CommandRow {
  std::string_view name;
  Command::Kind kind;
  Arguments arguments;
  std::string_view form;  // of the arguments, for people
  std::string_view meaning;
};

inline constexpr auto command_rows = std::to_array<CommandRow>({
    {"nick", Command::Kind::nick, Arguments::name_and_optional_text, "NAME [PASSWORD]",
     "change your name"},
    {"join", Command::Kind::join, Arguments::name, "ROOM",
     "enter a room, or talk in it from now on"},
    {"leave", Command::Kind::leave, Arguments::optional_name, "[ROOM]",
     "leave the current room, or that one"},
    {"rooms", Command::Kind::rooms, Arguments::ignored, "",
     "the rooms there are, the fullest first"},
    {"who", Command::Kind::who, Arguments::optional_name, "[ROOM]", "who is in a room"},
    {"msg", Command::Kind::whisper, Arguments::name_and_text, "NAME TEXT",
     "say something to one alone"},
    {"me", Command::Kind::emote, Arguments::text, "TEXT", "say what you do: /me waves"},
    {"topic", Command::Kind::topic, Arguments::optional_text, "[TEXT]",
     "show or set the room's topic"},
    {"history", Command::Kind::history, Arguments::optional_count, "[COUNT]", "what was said last"},
    {"kick", Command::Kind::kick, Arguments::name_and_optional_text, "NAME [REASON]",
     "send somebody out of the room"},
    {"ban", Command::Kind::ban, Arguments::optional_name, "[NAME]",
     "and keep them out; or list who is"},
    {"unban", Command::Kind::unban, Arguments::name, "NAME", "let them in again"},
    {"mute", Command::Kind::mute, Arguments::optional_name, "[NAME]",
     "let somebody listen alone; or list who may"},
    {"unmute", Command::Kind::unmute, Arguments::name, "NAME", "let them speak again"},
    {"help", Command::Kind::answer, Arguments::ignored, "[COMMAND]", "this list"},
    {"quit", Command::Kind::quit, Arguments::ignored, "", "leave the chat; so does the word exit"},
});

// Every kind can be typed; what is said is typed without a command.
static_assert([] {
  for (int kind = 0; kind <= static_cast<int>(Command::Kind::answer); ++kind) {
    const bool is_listed =
        std::any_of(command_rows.begin(), command_rows.end(),
                    [kind](const CommandRow& row) { return static_cast<int>(row.kind) == kind; });
    if (!is_listed && static_cast<Command::Kind>(kind) != Command::Kind::say) return false;
  }
  return true;
}());

}  // namespace tern::chat
