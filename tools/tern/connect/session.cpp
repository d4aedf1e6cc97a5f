#include "tools/tern/connect/session.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tools/tern/cli/exit_codes.hpp"

namespace tern::tool {

ConnectSession::ConnectSession(Reactor& reactor, const ConnectSettings& settings)
    : reactor_(reactor), settings_(settings), silence_timer_([this] { silence(); }) {}

void ConnectSession::finish() const {
  if (failure_) throw *failure_;
}

void ConnectSession::read_input() {
  if (system::is_editable()) {
    editing_ = std::make_unique<Editing>();
    show();
  }
  try {
    input_ = std::make_unique<StdinReader>(
        reactor_,
        [this](const std::string& bytes) {
          editing_ != nullptr ? keys_arrived(bytes) : input_arrived(bytes);
        },
        [this](const std::error_code& error) {
          if (error) {
            fail({exit_failure, fmt::format("cannot read standard input: {}", describe(error))});
          }
          input_ended();
        });
  } catch (const std::system_error& error) {
    // The loop must close what is open before anybody may leave.
    fail(unavailable("cannot read standard input", error.code()));
    give_up();
  }
}

void ConnectSession::stop_input() {
  if (input_ != nullptr) input_->stop();
  hide();
}

// --- editing ---

namespace {

// Who looks at earlier lines, or over a shoulder, must not find a password (docs/chat.md).
bool has_password(std::string_view line) {
  constexpr std::string_view nick = "/nick ";
  const std::size_t name = line.find_first_not_of(' ', nick.size());
  return line.starts_with(nick) && name != std::string_view::npos &&
         line.find(' ', name) != std::string_view::npos;
}

// What the lines of a chat are, by how they begin; empty: something that somebody said.
std::string_view colour_of(std::string_view line) {
  if (line.starts_with("!! ")) return "\x1b[31m";
  if (line.starts_with("(private) ")) return "\x1b[35m";
  const bool is_of_room = line.starts_with('[');
  const std::size_t end = line.find("] ");
  if (is_of_room && end != std::string_view::npos) line.remove_prefix(end + 2);
  return line.starts_with("-- ") ? "\x1b[2m" : "";
}

std::string coloured(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view colour = colour_of(text.substr(0, end));
    out.append(colour).append(text.substr(0, end));
    if (!colour.empty()) out += "\x1b[0m";
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

void ConnectSession::keys_arrived(const std::string& bytes) {
  editing_->editor.feed(bytes);
  editing_->held_bytes += bytes.size();
  if (edit() || editing_ == nullptr) return;
  editing_->held_bytes -= bytes.size();
  input_->taken(bytes.size());
}

// True: lines have arrived, which gives back what was read for them, or nothing arrives any more.
bool ConnectSession::edit() {
  std::string line;
  bool has_sent = false;
  for (;;) {
    const LineEditor::Got got = editing_->editor.next(line);
    if (got == LineEditor::Got::more) break;
    if (got == LineEditor::Got::end) {
      hide();
      input_->stop();
      input_ended();
      return true;
    }
    if (!has_password(line)) editing_->editor.remember(line);
    write(fmt::format("{}> {}\n", LineEditor::erased(), line));
    editing_->is_shown = true;
    has_sent = true;
    input_arrived(line + "\n");
    if (editing_ == nullptr || !editing_->is_shown) return true;  // that was the last one
  }
  show();
  return has_sent;
}

void ConnectSession::input_taken(std::size_t bytes) {
  if (input_ != nullptr) {
    input_->taken(editing_ != nullptr ? std::exchange(editing_->held_bytes, 0) : bytes);
  }
}

void ConnectSession::show() {
  write(editing_->editor.shown(system::terminal_columns()));
  editing_->is_shown = true;
}

void ConnectSession::hide() {
  if (editing_ == nullptr || !std::exchange(editing_->is_shown, false)) return;
  write(LineEditor::erased());
}

void ConnectSession::write(std::string_view text) {
  const std::error_code error = write_output(std::as_bytes(std::span(text)), interrupt_);
  if (!error || error == std::errc::operation_canceled) return;
  fail({exit_failure, fmt::format("cannot write to standard output: {}", describe(error))});
  give_up();
}

void ConnectSession::output(std::span<const std::byte> bytes) {
  received_bytes_ += bytes.size();
  if (awaiting_silence_) await_silence();
  if (editing_ != nullptr) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    static const bool has_colour = wants_colour(system::Stream::output);
    if (has_colour) text = coloured(text);
    const bool was_shown = editing_->is_shown;
    hide();
    // Below a line that is being typed there must be whole ones.
    write(was_shown && bytes.back() != std::byte{'\n'} ? text + "\n" : text);
    if (was_shown) show();
    return;
  }
  const std::error_code error = write_output(bytes, interrupt_);
  if (!error || error == std::errc::operation_canceled) return;
  // Whoever closed the pipe, `head` for one, has what it wanted: no message, but not a success.
  fail({exit_failure, error == std::errc::broken_pipe
                          ? std::string()
                          : fmt::format("cannot write to standard output: {}", describe(error))});
  give_up();
}

void ConnectSession::fail(const CommandError& failure) {
  if (!failure_) failure_ = failure;
}

void ConnectSession::await_silence() {
  awaiting_silence_ = true;
  silence_timer_.arm_after(reactor_, settings_.wait);
}

void ConnectSession::stop() {
  stop_input();
  editing_.reset();
  silence_timer_.cancel();
  reactor_.stop();
}

}  // namespace tern::tool
