#include "tools/connect_session.hpp"

namespace tern::tool {

ConnectSession::ConnectSession(Reactor& reactor, const ConnectSettings& settings)
    : reactor_(reactor), settings_(settings), silence_timer_([this] { silence(); }) {}

void ConnectSession::finish() const {
  if (failure_) throw *failure_;
}

void ConnectSession::read_input() {
  try {
    input_ = std::make_unique<Input>(
        reactor_, [this](const std::string& bytes) { input_arrived(bytes); },
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
}

void ConnectSession::output(std::span<const std::byte> bytes) {
  received_bytes_ += bytes.size();
  if (awaiting_silence_) await_silence();
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
  silence_timer_.cancel();
  reactor_.stop();
}

}  // namespace tern::tool
