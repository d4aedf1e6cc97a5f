// Sources: Microsoft's reference of ReadFile, WriteFile, GetConsoleMode.
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "backends/system/console.hpp"

namespace tern::system {
namespace {

constexpr std::size_t piece_bytes_max = 65'536;

HANDLE handle_of(Stream stream) {
  switch (stream) {
    case Stream::input:
      return ::GetStdHandle(STD_INPUT_HANDLE);
    case Stream::output:
      return ::GetStdHandle(STD_OUTPUT_HANDLE);
    case Stream::error:
      return ::GetStdHandle(STD_ERROR_HANDLE);
  }
  return nullptr;
}

std::error_code error_from(DWORD error) {
  switch (error) {
    case ERROR_SUCCESS:
      return {};
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
      return std::make_error_code(std::errc::broken_pipe);
    case ERROR_OPERATION_ABORTED:
      return std::make_error_code(std::errc::operation_canceled);
    case ERROR_INVALID_HANDLE:
      return std::make_error_code(std::errc::bad_file_descriptor);
    case ERROR_ACCESS_DENIED:
      return std::make_error_code(std::errc::permission_denied);
    case ERROR_DISK_FULL:
      return std::make_error_code(std::errc::no_space_on_device);
    default:
      return std::make_error_code(std::errc::io_error);
  }
}

}  // namespace

// Nothing ends a call for sure that waits on a console or a pipe: CancelSynchronousIo has no effect
// before the call has begun to wait, and none at all on the pipes of Wine. So calls are made on a
// thread of their own. Whoever is interrupted leaves it behind: it touches nothing but this state,
// which it shares, and ends with the process if its call never does.
struct TerminalInput::State {
  DWORD before;
};

namespace {

std::atomic<DWORD> input_before{0};
std::atomic<bool> has_input_before{false};

}  // namespace

TerminalInput::TerminalInput(Mode mode) {
  DWORD before = 0;
  if (!::GetConsoleMode(handle_of(Stream::input), &before)) return;
  state_ = std::make_unique<State>(State{before});
  input_before = before;
  has_input_before = true;
  const DWORD off =
      ENABLE_ECHO_INPUT | (mode == Mode::hidden ? ENABLE_PROCESSED_INPUT : ENABLE_LINE_INPUT);
  const DWORD on = mode == Mode::hidden ? 0 : ENABLE_VIRTUAL_TERMINAL_INPUT;
  ::SetConsoleMode(handle_of(Stream::input), (before & ~off) | on);
}

TerminalInput::~TerminalInput() {
  if (state_ != nullptr) restore();
}

void TerminalInput::restore() {
  if (has_input_before.exchange(false)) {
    ::SetConsoleMode(handle_of(Stream::input), input_before);
  }
}

// A console edits lines itself, and shows nothing of ours until a key is pressed.
bool is_editable() { return false; }

std::size_t terminal_columns() { return 80; }

struct Interrupt::State : std::enable_shared_from_this<Interrupt::State> {
  enum class Step : std::uint8_t { idle, asked, done };

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return over || step == Step::asked; });
      if (over) return;
      lock.unlock();
      DWORD moved = 0;
      const BOOL has_worked = reads ? ::ReadFile(handle, piece.data(), size, &moved, nullptr)
                                    : ::WriteFile(handle, piece.data(), size, &moved, nullptr);
      const DWORD failure = has_worked != 0 ? ERROR_SUCCESS : ::GetLastError();
      lock.lock();
      size = moved;
      error = failure;
      step = Step::done;
      changed.notify_all();
    }
  }

  // One call, which raise() interrupts. REQUIRES the lock, and for a write the bytes in `piece`.
  std::error_code call(std::unique_lock<std::mutex>& lock, Stream stream, bool is_read,
                       std::size_t bytes) {
    if (raised) return error_from(ERROR_OPERATION_ABORTED);
    if (!has_thread) {
      std::thread([self = shared_from_this()] { self->run(); }).detach();
      has_thread = true;
    }
    handle = handle_of(stream);
    reads = is_read;
    size = static_cast<DWORD>(bytes);
    step = Step::asked;
    changed.notify_all();
    changed.wait(lock, [this] { return raised || step == Step::done; });
    if (step != Step::done) return error_from(ERROR_OPERATION_ABORTED);
    step = Step::idle;
    return error_from(error);
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool raised = false;
  bool over = false;
  bool has_thread = false;
  Step step = Step::idle;
  // What is asked, and what became of it.
  HANDLE handle = nullptr;
  bool reads = false;
  DWORD size = 0;
  DWORD error = ERROR_SUCCESS;
  std::array<std::byte, piece_bytes_max> piece;
};

Interrupt::Interrupt() : state_(std::make_shared<State>()) {}

Interrupt::~Interrupt() {
  const std::lock_guard lock(state_->mutex);
  state_->over = true;
  state_->changed.notify_all();
}

void Interrupt::raise() noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->raised = true;
  state_->changed.notify_all();
}

bool Interrupt::raised() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->raised;
}

// The way from the functions below to an interrupt's state.
struct Console {
  static Interrupt::State& of(Interrupt& interrupt) { return *interrupt.state_; }
};

bool is_terminal(Stream stream) {
  DWORD mode = 0;
  return ::GetConsoleMode(handle_of(stream), &mode) != 0;
}

bool wants_colour(Stream stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  DWORD mode = 0;
  const HANDLE handle = handle_of(stream);
  // A console shows colours once it was asked to understand them.
  return ::GetConsoleMode(handle, &mode) != 0 &&
         ::SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

// Nothing else takes the place of a stream that is missing here.
void fill_closed_streams() {}

bool ignores_hangup() { return false; }

std::size_t read_input(std::span<std::byte> into, Interrupt& interrupt, std::error_code& error) {
  auto& state = Console::of(interrupt);
  std::unique_lock lock(state.mutex);
  error = state.call(lock, Stream::input, true, std::min(into.size(), piece_bytes_max));
  // A pipe whose other side is closed has ended; that is no error to who reads.
  if (error == std::errc::broken_pipe) {
    error.clear();
    return 0;
  }
  if (error) return 0;
  std::memcpy(into.data(), state.piece.data(), state.size);
  return state.size;
}

std::error_code write_output(std::span<const std::byte> bytes, Interrupt& interrupt) {
  auto& state = Console::of(interrupt);
  std::unique_lock lock(state.mutex);
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), piece_bytes_max);
    std::memcpy(state.piece.data(), bytes.data(), size);
    const std::error_code error = state.call(lock, Stream::output, false, size);
    if (error) return error;
    bytes = bytes.subspan(state.size);
  }
  return {};
}

std::error_code write_all(Stream stream, std::string_view text) {
  while (!text.empty()) {
    DWORD written = 0;
    const auto size = static_cast<DWORD>(std::min<std::size_t>(text.size(), 1U << 20U));
    if (::WriteFile(handle_of(stream), text.data(), size, &written, nullptr) == 0) {
      return error_from(::GetLastError());
    }
    text.remove_prefix(written);
  }
  return {};
}

}  // namespace tern::system
