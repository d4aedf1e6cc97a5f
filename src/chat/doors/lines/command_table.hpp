// What members may type: the one list of commands. Parsing, /help, the table in docs/chat.md and
// what the tests try at random are made from it, or compared with it.
#pragma once

#include <array>
#include <cstddef>
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
  std::string_view name = {};
  Command::Kind kind = Command::Kind::say;
  Arguments arguments = Arguments::ignored;
  std::string_view form = {};  // of the arguments, for people
  std::string_view meaning = {};
};

// Nothing for what is typed without a command, and for what is no kind.
constexpr CommandRow row_of(Command::Kind kind) {
  switch (kind) {
    case Command::Kind::say:
      break;
    case Command::Kind::nick:
      return {"nick", kind, Arguments::name_and_optional_text, "NAME [PASSWORD]",
              "change your name"};
    case Command::Kind::join:
      return {"join", kind, Arguments::name, "ROOM", "enter a room, or talk in it from now on"};
    case Command::Kind::leave:
      return {"leave", kind, Arguments::optional_name, "[ROOM]",
              "leave the current room, or that one"};
    case Command::Kind::rooms:
      return {"rooms", kind, Arguments::ignored, "", "the rooms there are, the fullest first"};
    case Command::Kind::who:
      return {"who", kind, Arguments::optional_name, "[ROOM]", "who is in a room"};
    case Command::Kind::whisper:
      return {"msg", kind, Arguments::name_and_text, "NAME TEXT", "say something to one alone"};
    case Command::Kind::emote:
      return {"me", kind, Arguments::text, "TEXT", "say what you do: /me waves"};
    case Command::Kind::topic:
      return {"topic", kind, Arguments::optional_text, "[TEXT]", "show or set the room's topic"};
    case Command::Kind::history:
      return {"history", kind, Arguments::optional_count, "[COUNT]", "what was said last"};
    case Command::Kind::kick:
      return {"kick", kind, Arguments::name_and_optional_text, "NAME [REASON]",
              "send somebody out of the room"};
    case Command::Kind::ban:
      return {"ban", kind, Arguments::optional_name, "[NAME]", "and keep them out; or list who is"};
    case Command::Kind::unban:
      return {"unban", kind, Arguments::name, "NAME", "let them in again"};
    case Command::Kind::mute:
      return {"mute", kind, Arguments::optional_name, "[NAME]",
              "let somebody listen alone; or list who may"};
    case Command::Kind::unmute:
      return {"unmute", kind, Arguments::name, "NAME", "let them speak again"};
    case Command::Kind::answer:
      return {"help", kind, Arguments::ignored, "[COMMAND]", "this list"};
    case Command::Kind::quit:
      return {"quit", kind, Arguments::ignored, "", "leave the chat; so does the word exit"};
  }
  return {};
}

// Every kind behind the first has its row, in the order in which they are listed for people.
inline constexpr auto command_rows = [] {
  constexpr std::size_t count = [] {
    std::size_t rows = 0;
    while (!row_of(static_cast<Command::Kind>(rows + 1)).name.empty()) ++rows;
    return rows;
  }();
  std::array<CommandRow, count> rows{};
  for (std::size_t i = 0; i < count; ++i) rows[i] = row_of(static_cast<Command::Kind>(i + 1));
  return rows;
}();
static_assert(command_rows.back().kind == Command::Kind::quit,
              "each kind has its case in row_of(), and `quit` is the last");

}  // namespace tern::chat
