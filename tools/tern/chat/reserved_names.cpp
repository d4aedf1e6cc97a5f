#include "tools/tern/chat/reserved_names.hpp"

#include <fmt/core.h>

#include <array>
#include <functional>
#include <string_view>

#include "backends/system/console.hpp"
#include "src/chat/hub/names.hpp"
#include "src/chat/service/password_hash.hpp"
#include "src/support/text.hpp"
#include "tern/tls.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/cli/text_file.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t password_bytes_min = 8;
constexpr std::size_t password_bytes_max = 200;

void need_openssl(const char* option) {
  if (!tls_engine().empty()) return;
  throw CommandError(exit_usage,
                     fmt::format("{}: this build has no OpenSSL, which passwords need; build with "
                                 "-Dtls=enabled",
                                 option));
}

// Calls `take` with each line that says something, and gives what it finds wrong its place.
void for_each_line(const std::string& option, const std::string& path,
                   const std::function<std::string(std::string_view line)>& take) {
  const std::string text = read_text(option, path);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t") == std::string_view::npos || line.front() == '#') continue;
    const std::string problem = take(line);
    if (problem.empty()) continue;
    throw CommandError(exit_configuration, fmt::format("{}:{}: {}", path, number, problem));
  }
}

std::string name_problem(std::string_view name, std::size_t name_bytes_max) {
  const bool is_guest = chat::folded(name).starts_with(chat::guest_prefix);
  if (chat::is_name(name, name_bytes_max) && !is_guest) return {};
  return fmt::format(
      "that is no name that can be reserved; write letters, digits, - and _, a letter first, at "
      "most {} of them, and not {}",
      name_bytes_max, chat::guest_prefix);
}

void read_reserved(const std::string& path, std::size_t name_bytes_max, ChatNames& names) {
  need_openssl("--reserved");
  for_each_line("--reserved", path, [&](std::string_view line) -> std::string {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, end);
    if (std::string problem = name_problem(name, name_bytes_max); !problem.empty()) return problem;
    const std::string_view hash = line.substr(std::min(end + 1, line.size()));
    if (!chat::is_password_hash(hash)) {
      return fmt::format(
          "there is no good hash of a password behind the name; write the line that "
          "`{} chat --reserve {}` prints",
          program(), name);
    }
    const std::string key = chat::folded(name);
    if (!names.hashes.emplace(key, hash).second) {
      return fmt::format("{} is reserved further up already; remove one of the two", name);
    }
    names.reserved_names.reserved.insert(key);
    return {};
  });
}

}  // namespace

ChatNames read_chat_names(const std::string& reserved, const std::string& operators,
                          std::size_t name_bytes_max) {
  ChatNames names;
  if (!reserved.empty()) read_reserved(reserved, name_bytes_max, names);
  if (operators.empty()) return names;
  for_each_line("--operators", operators, [&](std::string_view line) -> std::string {
    if (std::string problem = name_problem(line, name_bytes_max); !problem.empty()) return problem;
    const std::string key = chat::folded(line);
    if (!names.reserved_names.reserved.contains(key)) {
      return fmt::format(
          "{} is not in --reserved FILE, so anybody could take the name; add the "
          "line that `{} chat --reserve {}` prints",
          line, program(), line);
    }
    names.reserved_names.operators.insert(key);
    return {};
  });
  return names;
}

namespace {

// One line, without its end.
std::string read_password(const std::string& name) {
  const system::TerminalInput hidden(system::TerminalInput::Mode::hidden);
  if (hidden.is_terminal()) {
    [[maybe_unused]] const auto ignored =
        write_all(system::Stream::error, fmt::format("password for {}: ", name));
  }
  system::Interrupt interrupt;
  std::string text;
  std::array<std::byte, 256> piece{};
  std::error_code error;
  while (text.find('\n') == std::string::npos && text.size() <= password_bytes_max + 2) {
    const std::size_t count = read_input(piece, interrupt, error);
    if (error) {
      throw CommandError(exit_failure,
                         fmt::format("standard input cannot be read: {}", describe(error)));
    }
    if (count == 0) break;
    text.append(reinterpret_cast<const char*>(piece.data()), count);
  }
  if (hidden.is_terminal()) [[maybe_unused]]
    const auto ignored = write_all(system::Stream::error, "\n");
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

void reserve_chat_name(const std::string& name, std::size_t name_bytes_max) {
  need_openssl("--reserve");
  if (const std::string problem = name_problem(name, name_bytes_max); !problem.empty()) {
    throw CommandError(exit_usage, fmt::format("--reserve: {}", problem));
  }
  const std::string password = read_password(name);
  const auto is_white = [](char c) { return c == ' ' || c == '\t'; };
  if (password.size() < password_bytes_min || password.size() > password_bytes_max ||
      is_white(password.front()) || is_white(password.back()) ||
      support::check_text(password).problem != support::TextProblem::none) {
    throw CommandError(exit_usage,
                       fmt::format("--reserve: that is no password; write a line of {} to {} bytes "
                                   "of text on standard input, without a blank at either end",
                                   password_bytes_min, password_bytes_max));
  }
  print(fmt::format("{} {}\n", name, chat::make_password_hash(password)));
}

}  // namespace tern::tool
