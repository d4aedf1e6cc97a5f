// Sources: Microsoft's reference of ReadFile, WriteFile, CancelSynchronousIo, GetConsoleMode.
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "tools/console.hpp"

namespace tern::tool {
namespace {

// More than a pipe takes at once can only wait longer to be interrupted.
constexpr std::size_t write_bytes_max = 4096;

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

// A call that waits on a console or a pipe can be interrupted only from another thread and only
// while it waits, so whoever interrupts tries until the call is over.
struct Interrupt::State {
  std::atomic<bool> raised{false};
  std::mutex mutex;
  HANDLE thread = nullptr;  // that is in a call, or about to be
};

Interrupt::Interrupt() : state_(std::make_unique<State>()) {}
Interrupt::~Interrupt() = default;

void Interrupt::raise() noexcept {
  state_->raised.store(true);
  for (;;) {
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->thread == nullptr) return;
      // Fails when the call has not begun to wait yet.
      (void)::CancelSynchronousIo(state_->thread);
    }
    ::SwitchToThread();
  }
}

bool Interrupt::raised() const noexcept { return state_->raised.load(); }

struct Console {
  // One call, on this thread, that raise() interrupts. Returns its error.
  template <class Call>
  static std::error_code interruptible(Interrupt& interrupt, const Call& call) {
    Interrupt::State& state = *interrupt.state_;
    HANDLE thread = nullptr;
    if (::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentThread(), ::GetCurrentProcess(),
                          &thread, 0, FALSE, DUPLICATE_SAME_ACCESS) == 0) {
      return error_from(::GetLastError());
    }
    {
      const std::lock_guard lock(state.mutex);
      state.thread = thread;
    }
    DWORD error = ERROR_OPERATION_ABORTED;
    if (!state.raised.load()) error = call() != 0 ? ERROR_SUCCESS : ::GetLastError();
    {
      const std::lock_guard lock(state.mutex);
      state.thread = nullptr;
    }
    ::CloseHandle(thread);
    return error_from(error);
  }
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
  DWORD taken = 0;
  error = Console::interruptible(interrupt, [&] {
    return ::ReadFile(handle_of(Stream::input), into.data(), static_cast<DWORD>(into.size()),
                      &taken, nullptr);
  });
  // A pipe whose other side is closed has ended; that is no error to who reads.
  if (error == std::errc::broken_pipe) error.clear();
  return error ? 0 : taken;
}

std::error_code write_output(std::span<const std::byte> bytes, Interrupt& interrupt) {
  while (!bytes.empty()) {
    DWORD written = 0;
    const std::error_code error = Console::interruptible(interrupt, [&] {
      return ::WriteFile(handle_of(Stream::output), bytes.data(),
                         static_cast<DWORD>(std::min(bytes.size(), write_bytes_max)), &written,
                         nullptr);
    });
    if (error) return error;
    bytes = bytes.subspan(written);
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

}  // namespace tern::tool
