// What the two kinds of session of `tern connect`, streams and datagrams, have in common.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "backends/system/console.hpp"
#include "tern/reactor.hpp"
#include "tern/timer.hpp"
#include "tern/url.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/tls.hpp"
#include "tools/tern/connect/line_editor.hpp"
#include "tools/tern/connect/stdin_reader.hpp"

namespace tern::tool {

struct ConnectSettings {
  Url url;
  TlsClientSettings tls;
  std::string quit_word = "exit";
  Duration connect_timeout = std::chrono::seconds(10);
  // After the quit word, and for datagrams after the end of the input: how long silence must last.
  Duration wait = std::chrono::seconds(1);
};

// One session on one reactor. The caller runs the reactor, which the session stops once its socket
// is closed, and then calls finish().
//   OWNERSHIP  Destroy after the reactor has stopped and before it is destroyed.
//   THREAD     The reactor's, except interrupt_output().
class ConnectSession {
 public:
  virtual ~ConnectSession() = default;
  ConnectSession(const ConnectSession&) = delete;
  ConnectSession& operator=(const ConnectSession&) = delete;

  virtual void start() = 0;
  // The user wants out: closes.
  virtual void interrupted() = 0;

  // Ends a write that waits for a full pipe. Any thread.
  void interrupt_output() { interrupt_.raise(); }
  // Throws CommandError if the session failed.
  void finish() const;

 protected:
  ConnectSession(Reactor& reactor, const ConnectSettings& settings);

  virtual void input_arrived(const std::string& bytes) = 0;
  virtual void input_ended() = 0;
  // Closes the socket at once.
  virtual void give_up() = 0;
  // No byte has come for ConnectSettings::wait.
  virtual void silence() = 0;

  void read_input();
  void stop_input();
  // Gives room back for what input_arrived() brought.
  void input_taken(std::size_t bytes);
  // Prints what the peer sent; gives up when that fails.
  void output(std::span<const std::byte> bytes);
  // Keeps the first failure.
  void fail(const CommandError& failure);
  // Silence is counted from now on.
  void await_silence();
  // The socket is closed: nothing is left to do.
  void stop();

  std::string name() const { return settings_.url.to_string(); }

  Reactor& reactor_;
  const ConnectSettings& settings_;
  std::unique_ptr<StdinReader> input_;
  std::uint64_t received_bytes_ = 0;

 private:
  // At a terminal lines are edited here, and what comes does not tear the one that is being typed.
  struct Editing {
    system::TerminalInput terminal{system::TerminalInput::Mode::by_keys};
    LineEditor editor{"> "};
    std::size_t held_bytes = 0;  // keys of lines that have arrived, and are not taken yet
    bool is_shown = false;
  };

  void keys_arrived(const std::string& bytes);
  bool edit();
  void show();
  void hide();
  void write(std::string_view text);

  system::Interrupt interrupt_;
  std::unique_ptr<Editing> editing_;  // null: standard input is as it is
  CallbackTimer silence_timer_;
  bool awaiting_silence_ = false;
  std::optional<CommandError> failure_;
};

std::unique_ptr<ConnectSession> make_stream_session(Reactor& reactor,
                                                    const ConnectSettings& settings);
// Resolves the name first; throws CommandError.
std::unique_ptr<ConnectSession> make_datagram_session(Reactor& reactor,
                                                      const ConnectSettings& settings);

}  // namespace tern::tool
