#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "backends/system/console.hpp"

namespace tern::system {
namespace {

// A pipe that poll(2) calls writable takes at least this much without blocking (PIPE_BUF is at
// least 512 by POSIX and 4,096 where it matters).
constexpr std::size_t write_bytes_max = 4096;

std::error_code last_error() { return {errno, std::generic_category()}; }

int number(Stream stream) { return static_cast<int>(stream); }

}  // namespace

struct TerminalInput::State {
  termios before;
};

namespace {

// Written before it is published, and never changed while it is.
termios terminal_before;
std::atomic<bool> has_terminal_before{false};

}  // namespace

TerminalInput::TerminalInput(Mode mode) {
  termios settings{};
  if (!system::is_terminal(Stream::input) || ::tcgetattr(STDIN_FILENO, &settings) != 0) return;
  state_ = std::make_unique<State>(State{settings});
  terminal_before = settings;
  has_terminal_before = true;
  settings.c_lflag &= ~static_cast<tcflag_t>(mode == Mode::hidden ? ECHO | ISIG : ECHO | ICANON);
  if (mode == Mode::by_keys) {
    settings.c_lflag &= ~static_cast<tcflag_t>(IEXTEN);
    settings.c_iflag &= ~static_cast<tcflag_t>(IXON);
    settings.c_cc[VSUSP] = _POSIX_VDISABLE;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
  }
  // What was typed already stays, but for a password.
  ::tcsetattr(STDIN_FILENO, mode == Mode::hidden ? TCSAFLUSH : TCSADRAIN, &settings);
}

TerminalInput::~TerminalInput() {
  if (state_ != nullptr) restore();
}

void TerminalInput::restore() {
  if (has_terminal_before.exchange(false)) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  }
}

struct Interrupt::State {
  std::array<int, 2> pipe{-1, -1};
  std::atomic<bool> raised{false};
};

Interrupt::Interrupt() : state_(std::make_shared<State>()) {
  if (::pipe(state_->pipe.data()) != 0) throw std::system_error(last_error(), "pipe");
  for (const int descriptor : state_->pipe) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

Interrupt::~Interrupt() {
  for (const int descriptor : state_->pipe) ::close(descriptor);
}

void Interrupt::raise() noexcept {
  if (state_->raised.exchange(true)) return;
  // The byte is never read, so that every later wait returns at once. An empty pipe has room.
  const std::byte signal{1};
  [[maybe_unused]] const auto written = ::write(state_->pipe[1], &signal, 1);
}

bool Interrupt::raised() const noexcept { return state_->raised.load(); }

struct Console {
  // Waits until `descriptor` is ready for `events`. Anything that poll(2) cannot watch counts as
  // ready: the call that follows tells what is the matter.
  static std::error_code wait(int descriptor, short events, Interrupt& interrupt) {
    std::array<pollfd, 2> watched{
        {{descriptor, events, 0}, {interrupt.state_->pipe[0], POLLIN, 0}}};
    for (;;) {
      if (interrupt.raised()) return std::make_error_code(std::errc::operation_canceled);
      const int ready = ::poll(watched.data(), watched.size(), -1);
      if (ready < 0 && errno != EINTR) return last_error();
      if (ready > 0 && watched[0].revents != 0) return {};
    }
  }
};

bool is_terminal(Stream stream) { return ::isatty(number(stream)) == 1; }

namespace {

bool understands_sequences() {
  const char* terminal = std::getenv("TERM");
  return terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

bool is_editable() {
  return understands_sequences() && is_terminal(Stream::input) && is_terminal(Stream::output);
}

std::size_t terminal_columns() {
  winsize size{};
  const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : 80;
}

bool wants_colour(Stream stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  return understands_sequences() && is_terminal(stream);
}

void fill_closed_streams() {
  for (const Stream stream : {Stream::input, Stream::output, Stream::error}) {
    if (::fcntl(number(stream), F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this stream's own. Open the wrong way round, so that its use fails.
    const int mode = stream == Stream::input ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", mode) != number(stream)) std::_Exit(71);
  }
}

bool ignores_hangup() {
  struct sigaction current {};
  return ::sigaction(SIGHUP, nullptr, &current) == 0 && current.sa_handler == SIG_IGN;
}

std::size_t read_input(std::span<std::byte> into, Interrupt& interrupt, std::error_code& error) {
  for (;;) {
    error = Console::wait(STDIN_FILENO, POLLIN, interrupt);
    if (error) return 0;
    const ssize_t taken = ::read(STDIN_FILENO, into.data(), into.size());
    if (taken >= 0) return static_cast<std::size_t>(taken);
    // Another program may have made the shared descriptor non-blocking.
    if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) continue;
    error = last_error();
    return 0;
  }
}

std::error_code write_output(std::span<const std::byte> bytes, Interrupt& interrupt) {
  while (!bytes.empty()) {
    if (const auto error = Console::wait(STDOUT_FILENO, POLLOUT, interrupt)) return error;
    const ssize_t written =
        ::write(STDOUT_FILENO, bytes.data(), std::min(bytes.size(), write_bytes_max));
    if (written < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) continue;
    if (written < 0) return last_error();
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

std::error_code write_all(Stream stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(number(stream), text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd watched{number(stream), POLLOUT, 0};
      ::poll(&watched, 1, -1);
    } else if (errno != EINTR) {
      return last_error();
    }
  }
  return {};
}

}  // namespace tern::system
