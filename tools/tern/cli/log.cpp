#include "tools/tern/cli/log.hpp"

#include <fmt/chrono.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>

#include "backends/system/console.hpp"
#include "src/support/text.hpp"

namespace tern::tool {
namespace {

std::atomic<bool> is_json{false};

struct LevelText {
  std::string_view name;
  std::string_view colour;
};

LevelText level_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return {"debug", "\x1b[2m"};
    case LogLevel::info:
      return {"info", ""};
    case LogLevel::warning:
      return {"warning", "\x1b[33m"};
    case LogLevel::error:
      return {"error", "\x1b[31m"};
  }
  return {"error", ""};
}

// 2026-11-20T16:27:01.123Z
std::string time_stamp() {
  using namespace std::chrono;
  const auto now = system_clock::now().time_since_epoch();
  const auto whole = duration_cast<seconds>(now);
  const auto thousandths = duration_cast<milliseconds>(now - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(whole.count())), thousandths);
}

// Control characters and what is no UTF-8 (a path may be anything) must not break the line.
std::string json_text(std::string_view text) {
  std::string quoted;
  while (!text.empty()) {
    const support::TextCheck check = support::check_text(text);
    const bool is_whole = check.problem == support::TextProblem::none;
    for (const char c : text.substr(0, is_whole ? text.size() : check.at)) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (c == '\t')
        quoted += "\\t";
      else
        quoted += c;
    }
    if (is_whole) break;
    text.remove_prefix(check.at);
    const bool is_control = check.problem == support::TextProblem::control_character;
    quoted +=
        fmt::format("\\u{:04x}", is_control ? static_cast<unsigned>(check.character) : 0xfffd);
    // A control character is one, two or three bytes long; of what is no UTF-8 one is skipped.
    const bool is_long = is_control && check.character >= 0x80;
    text.remove_prefix(!is_long ? 1 : check.character < 0x800 ? 2 : 3);
  }
  return quoted;
}

void write_json(std::string_view level, std::string_view message) {
  [[maybe_unused]] const auto error =
      write_all(system::Stream::error,
                fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"{}\"}}\n",
                            time_stamp(), level, json_text(message)));
}

void write_log_line(LogLevel level, std::string_view message) {
  if (is_json) return write_json(level_text(level).name, message);
  static const bool coloured = wants_colour(system::Stream::error);
  const LevelText text = level_text(level);
  const bool tinted = coloured && !text.colour.empty();
  std::string line = fmt::format("{} {}{:<7}{} ", time_stamp(), tinted ? text.colour : "",
                                 text.name, tinted ? "\x1b[0m" : "");
  for (const char letter : message) line += letter == '\n' || letter == '\r' ? ' ' : letter;
  line += '\n';
  // One write a line, so that lines of several threads do not mix. A log that cannot be written is
  // no reason to stop serving.
  [[maybe_unused]] const auto error = write_all(system::Stream::error, line);
}

}  // namespace

void log_to_standard_error() { support::set_log_sink(write_log_line); }

void print_notice(std::string_view line) {
  if (is_json) return write_json("info", line);
  [[maybe_unused]] const auto error =
      write_all(system::Stream::error, fmt::format("{} {}\n", time_stamp(), line));
}

void set_log_json(bool is_wanted) { is_json = is_wanted; }

std::string_view to_string(LogLevel level) { return level_text(level).name; }

}  // namespace tern::tool
