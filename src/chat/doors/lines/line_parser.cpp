// Lines as commands: the incoming half of the line door.
#include "src/chat/doors/lines/line_door.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "src/chat/doors/lines/command_table.hpp"
#include "src/chat/hub/names.hpp"
#include "src/support/text.hpp"

namespace tern::chat {
namespace {

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

const CommandRow* find_row(std::string_view name) {
  const std::string key = folded(name);
  const auto it = std::find_if(command_rows.begin(), command_rows.end(),
                               [&](const CommandRow& row) { return row.name == key; });
  return it == command_rows.end() ? nullptr : it;
}

std::string form_of(const CommandRow& row) {
  const std::string name = "/" + std::string(row.name);
  return row.form.empty() ? name : name + " " + std::string(row.form);
}

Command help(std::string_view about) {
  if (about.starts_with('/')) about.remove_prefix(1);
  const CommandRow* only = find_row(about);
  if (!about.empty() && only == nullptr) {
    return wrong("/" + quoted(about) + " is no command; /help lists them all");
  }
  std::string text;
  for (const CommandRow& row : command_rows) {
    if (only != nullptr && only != &row) continue;
    std::string form = form_of(row);
    form.resize(std::max<std::size_t>(form.size(), 22), ' ');
    text += "-- " + form + " " + std::string(row.meaning) + "\n";
  }
  if (only == nullptr) {
    text += "-- everything else is said in your room; //TEXT says a line that begins with /\n";
  }
  return answer(std::move(text));
}

// False: that is no number of lines that anybody keeps.
bool parse_count(std::string_view word, std::size_t& count) {
  count = 0;
  for (const char digit : word) {
    if (digit < '0' || digit > '9' || count > 100'000) return false;
    count = 10 * count + static_cast<std::size_t>(digit - '0');
  }
  return true;
}

// False: `rest` has another form.
bool parse_arguments(Arguments arguments, std::string_view rest, Command& command) {
  switch (arguments) {
    case Arguments::ignored:
      return true;
    case Arguments::name:
      command.name = take_word(rest);
      return !command.name.empty() && rest.empty();
    case Arguments::optional_name:
      command.name = take_word(rest);
      return rest.empty();
    case Arguments::text:
      command.text = trimmed(rest);
      return !command.text.empty();
    case Arguments::optional_text:
      command.text = trimmed(rest);
      return true;
    case Arguments::name_and_text:
      command.name = take_word(rest);
      command.text = trimmed(rest);
      return !command.text.empty();
    case Arguments::name_and_optional_text:
      command.name = take_word(rest);
      command.text = trimmed(rest);
      return !command.name.empty();
    case Arguments::optional_count:
      return parse_count(take_word(rest), command.count) && rest.empty();
  }
  return false;
}

Command parse_command(const CommandRow& row, std::string_view rest) {
  if (row.kind == Command::Kind::answer) return help(take_word(rest));
  Command command{.kind = row.kind};
  return parse_arguments(row.arguments, rest, command) ? command : wrong("write " + form_of(row));
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
    const CommandRow* row = find_row(name);
    command = row != nullptr ? parse_command(*row, line)
                             : wrong("/" + quoted(name) + " is no command; /help lists them all");
  }
  return true;
}

Command too_long_line() {
  return wrong("that was not sent: a line has at most " + std::to_string(line_bytes_max) +
               " bytes; send it in parts");
}

}  // namespace tern::chat
