#include "src/chat/doors/lines/line_door.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "src/chat/hub/names.hpp"
#include "src/support/text.hpp"

namespace tern::chat {
namespace {

struct Usage {
  std::string_view name;
  Command::Kind kind;
  std::string_view form;
  std::string_view meaning;
};

constexpr std::array usages{
    Usage{"nick", Command::Kind::nick, "/nick NAME [PASSWORD]", "change your name"},
    Usage{"join", Command::Kind::join, "/join ROOM", "enter a room, or talk in it from now on"},
    Usage{"leave", Command::Kind::leave, "/leave [ROOM]", "leave the current room, or that one"},
    Usage{"rooms", Command::Kind::rooms, "/rooms", "the rooms there are, the fullest first"},
    Usage{"who", Command::Kind::who, "/who [ROOM]", "who is in a room"},
    Usage{"msg", Command::Kind::whisper, "/msg NAME TEXT", "say something to one alone"},
    Usage{"me", Command::Kind::emote, "/me TEXT", "say what you do: /me waves"},
    Usage{"topic", Command::Kind::topic, "/topic [TEXT]", "show or set the room's topic"},
    Usage{"history", Command::Kind::history, "/history [COUNT]", "what was said last"},
    Usage{"kick", Command::Kind::kick, "/kick NAME [REASON]", "send somebody out of the room"},
    Usage{"ban", Command::Kind::ban, "/ban [NAME]", "and keep them out; or list who is"},
    Usage{"unban", Command::Kind::unban, "/unban NAME", "let them in again"},
    Usage{"mute", Command::Kind::mute, "/mute [NAME]",
          "let somebody listen alone; or list who may"},
    Usage{"unmute", Command::Kind::unmute, "/unmute NAME", "let them speak again"},
    Usage{"help", Command::Kind::answer, "/help [COMMAND]", "this list"},
    Usage{"quit", Command::Kind::quit, "/quit", "leave the chat; so does the word exit"},
};

constexpr std::string_view white = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(white);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

// Cuts the first word off.
std::string_view take_word(std::string_view& rest) {
  rest = trimmed(rest);
  const std::size_t end = std::min(rest.find_first_of(white), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest = trimmed(rest.substr(end));
  return word;
}

Command answer(std::string text) {
  return {.kind = Command::Kind::answer, .text = std::move(text)};
}

Command wrong(const std::string& problem) { return answer("!! " + problem + "\n"); }

// Of what somebody typed: whole characters, and not too many of them.
std::string quoted(std::string_view word) {
  static constexpr std::size_t shown_bytes = 40;
  if (word.size() <= shown_bytes) return std::string(word);
  std::size_t end = shown_bytes;
  while (end > 0 && (static_cast<unsigned char>(word[end]) & 0xc0U) == 0x80) --end;
  return std::string(word.substr(0, end)) + "...";
}

const Usage* find_usage(std::string_view name) {
  const std::string key = folded(name);
  const auto it = std::find_if(usages.begin(), usages.end(),
                               [&](const Usage& usage) { return usage.name == key; });
  return it == usages.end() ? nullptr : it;
}

Command help(std::string_view about) {
  if (about.starts_with('/')) about.remove_prefix(1);
  const Usage* only = find_usage(about);
  if (!about.empty() && only == nullptr) {
    return wrong("/" + quoted(about) + " is no command; /help lists them all");
  }
  std::string text;
  for (const Usage& usage : usages) {
    if (only != nullptr && only != &usage) continue;
    std::string form(usage.form);
    form.resize(std::max<std::size_t>(form.size(), 22), ' ');
    text += "-- " + form + " " + std::string(usage.meaning) + "\n";
  }
  if (only == nullptr) {
    text += "-- everything else is said in your room; //TEXT says a line that begins with /\n";
  }
  return answer(std::move(text));
}

Command refuse_form(const Usage& usage) { return wrong("write " + std::string(usage.form)); }

Command parse_command(const Usage& usage, std::string_view rest) {
  Command command{.kind = usage.kind};
  switch (usage.kind) {
    case Command::Kind::answer:
      return help(take_word(rest));
    case Command::Kind::say:
    case Command::Kind::rooms:
    case Command::Kind::quit:
      return command;
    case Command::Kind::join:
    case Command::Kind::unban:
    case Command::Kind::unmute:
      command.name = take_word(rest);
      return command.name.empty() || !rest.empty() ? refuse_form(usage) : command;
    case Command::Kind::leave:
    case Command::Kind::who:
    case Command::Kind::ban:
    case Command::Kind::mute:
      command.name = take_word(rest);
      return rest.empty() ? command : refuse_form(usage);
    case Command::Kind::whisper:
      command.name = take_word(rest);
      [[fallthrough]];
    case Command::Kind::emote:
      command.text = trimmed(rest);
      return command.text.empty() ? refuse_form(usage) : command;
    case Command::Kind::nick:
    case Command::Kind::kick:
      command.name = take_word(rest);
      command.text = trimmed(rest);
      return command.name.empty() ? refuse_form(usage) : command;
    case Command::Kind::topic:
      command.text = trimmed(rest);
      return command;
    case Command::Kind::history:
      for (const char digit : take_word(rest)) {
        if (digit < '0' || digit > '9' || command.count > 100'000) return refuse_form(usage);
        command.count = 10 * command.count + static_cast<std::size_t>(digit - '0');
      }
      return rest.empty() ? command : refuse_form(usage);
  }
  return command;
}

Command bad_text(const support::TextCheck& check) {
  const std::string where = " at byte " + std::to_string(check.at + 1);
  if (check.problem == support::TextProblem::invalid_utf8) {
    return wrong("that was not sent: no valid UTF-8" + where + "; send UTF-8");
  }
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), "U+%04X", static_cast<unsigned>(check.character));
  return wrong("that was not sent: the control character " + std::string(number.data()) + where +
               "; send text alone");
}

}  // namespace

bool parse_line(std::string_view line, Command& command) {
  if (trimmed(line).empty()) return false;
  if (const auto check = support::check_text(line); check.problem != support::TextProblem::none) {
    command = bad_text(check);
  } else if (line == "exit") {
    command = {.kind = Command::Kind::quit};
  } else if (!line.starts_with('/')) {
    command = {.kind = Command::Kind::say, .text = std::string(line)};
  } else if (line.starts_with("//")) {
    command = {.kind = Command::Kind::say, .text = std::string(line.substr(1))};
  } else {
    line.remove_prefix(1);
    const std::string_view name = take_word(line);
    const Usage* usage = find_usage(name);
    command = usage != nullptr ? parse_command(*usage, line)
                               : wrong("/" + quoted(name) + " is no command; /help lists them all");
  }
  return true;
}

Command too_long_line(std::size_t bytes_max) {
  return wrong("that was not sent: a line has at most " + std::to_string(bytes_max) +
               " bytes; send it in parts");
}

std::string notice_line(std::string_view text) { return "-- " + std::string(text) + "\n"; }

}  // namespace tern::chat
