// The three standard streams, which are neither sockets nor polite: they may be terminals, pipes,
// files, closed, full, or shared with other programs.
//
//   One implementation file for each system, chosen by the build (console_posix.cpp).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

namespace tern::system {

enum class Stream : int { input = 0, output = 1, error = 2 };

bool is_terminal(Stream stream);

// Colours are for terminals whose user has not set NO_COLOR (no-color.org) or TERM=dumb.
bool wants_colour(Stream stream);

// A program may be started with standard streams closed; the next file or socket to be opened would
// then take their numbers and receive what is printed. Fills the gaps with streams that fail to
// read and write, as closed ones would. Call first.
void fill_closed_streams();

// Whether the program was started with SIGHUP ignored, as nohup does. Ask before watching signals.
bool ignores_hangup();

// Whether standard input and output are a terminal that understands ECMA-48, so that a line may be
// edited there.
bool is_editable();
// How wide the terminal behind standard output is now; 80 if nobody knows.
std::size_t terminal_columns();

// How a terminal behind standard input behaves while this lives. One at a time.
class TerminalInput {
 public:
  enum class Mode {
    hidden,   // lines that are not shown; no key makes a signal
    by_keys,  // each key at once, not shown; Ctrl-C and Ctrl-\ make signals, Ctrl-Z does not
  };

  explicit TerminalInput(Mode mode);
  ~TerminalInput();
  TerminalInput(const TerminalInput&) = delete;
  TerminalInput& operator=(const TerminalInput&) = delete;

  // False: standard input is none, and nothing has changed.
  bool is_terminal() const { return state_ != nullptr; }

  // What the destructor does, before the process ends without any. Any thread.
  static void restore();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Interrupts reads and writes of the functions below, from any thread, for good.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void raise() noexcept;
  bool raised() const noexcept;

 private:
  friend struct Console;
  struct State;
  std::shared_ptr<State> state_;  // with a call that may outlive this
};

// Waits for bytes on standard input and takes what is there. Zero without error: the end.
// errc::operation_canceled: interrupted.
std::size_t read_input(std::span<std::byte> into, Interrupt& interrupt, std::error_code& error);

// Writes all of `bytes` to standard output; waits while a pipe is full.
// errc::broken_pipe: nobody reads it any more. errc::operation_canceled: interrupted.
std::error_code write_output(std::span<const std::byte> bytes, Interrupt& interrupt);

// Writes all of `text` in as few calls as possible; nothing interrupts it.
std::error_code write_all(Stream stream, std::string_view text);

}  // namespace tern::system
