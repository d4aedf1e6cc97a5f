// A session over TCP or a Unix socket.
//
//   input ends, or the quit word ──► our half is closed ──► the peer's end ──► closed
//                                        quit word only: or silence ──► closed
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "tern/connector.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/connect/quit_filter.hpp"
#include "tools/tern/connect/session.hpp"

namespace tern::tool {
namespace {

// How soon room is looked for again after the peer has not taken all; doubles up to the longest.
constexpr Duration shortest_recheck = std::chrono::milliseconds(1);
constexpr Duration longest_recheck = std::chrono::milliseconds(50);

class StreamSession final : public ConnectSession, private Protocol {
 public:
  StreamSession(Reactor& reactor, const ConnectSettings& settings)
      : ConnectSession(reactor, settings),
        quit_(settings.quit_word),
        recheck_timer_([this] { give_back(); }) {
    // The queue is bounded by what StdinReader hands over. A watermark would stop our receiving,
    // and with an echo server, which stops for the same reason, both would wait for ever.
    limits_.output_high_bytes = limits_.output_bytes_max = std::numeric_limits<std::size_t>::max();
    limits_.idle_timeout = Duration::zero();
    limits_.handshake_timeout = settings.connect_timeout;
    // Whoever wants out has waited already, or does not want to.
    limits_.linger_timeout = Duration::zero();
  }

  void start() override {
    ConnectOptions options;
    const Url& url = settings_.url;
    options.deadline = settings_.connect_timeout;
    if (url.scheme == Scheme::tls) {
      options.tls = make_tls(settings_.tls);
      options.tls_name = settings_.tls.name;
    }
    Connector connector(reactor_, *this, limits_, options);
    connection_ = url.scheme == Scheme::local
                      ? &connector.connect(Endpoint::local(url.path).value())
                      : &connector.connect(url.host, url.port);
  }

  void interrupted() override {
    leaving_ = true;
    leave();
  }

 private:
  void opened(Connection& connection) override {
    if (is_terminal(system::Stream::input)) {
      const std::string word =
          settings_.quit_word.empty() ? "" : fmt::format("'{}' or ", settings_.quit_word);
      log(LogLevel::info, "connected to {}; {}Ctrl-D ends", connection.peer().to_string(), word);
    } else {
      log(LogLevel::info, "connected to {}", connection.peer().to_string());
    }
    if (const auto tls = connection.tls()) {
      log(LogLevel::info, "{}, {}, {}{}", tls->version, tls->cipher, tls->peer_subject,
          tls->protocol.empty() ? "" : ", " + tls->protocol);
    }
    opened_ = true;
    read_input();
  }

  void received(Connection&, std::span<const std::byte> bytes) override {
    output(bytes);
    give_back();
  }

  void ended(Connection& connection) override {
    stop_input();
    connection.finish();
  }

  void closed(Connection&, CloseReason reason, const std::error_code& error) override {
    connection_ = nullptr;
    recheck_timer_.cancel();
    explain(reason, error);
    stop();
  }

  void input_arrived(const std::string& bytes) override {
    std::string passed;
    const bool quit = quit_.feed(bytes, passed);
    taken_bytes_ += bytes.size();
    send(passed);
    if (quit) quit_now();
  }

  void input_ended() override {
    std::string passed;
    const bool quit = quit_.finish(passed);
    send(passed);
    if (quit) return quit_now();
    if (connection_ != nullptr) connection_->finish();
  }

  void quit_now() {
    leaving_ = true;
    stop_input();
    if (connection_ != nullptr) connection_->finish();
    await_silence();
  }

  void silence() override {
    if (connection_ == nullptr) return;
    // A slow peer that still takes what was sent before the quit word is not silent.
    const bool moving = reactor_.now() - connection_->last_activity() < settings_.wait;
    if (connection_->queued_bytes() > 0 && moving) return await_silence();
    leave();
  }

  void leave() {
    if (connection_ == nullptr) return;
    const bool open = connection_->state() != Connection::State::connecting;
    if (open && connection_->queued_bytes() == 0) {
      connection_->close();
    } else {
      connection_->abort();
    }
  }

  void give_up() override {
    if (connection_ != nullptr) connection_->abort();
  }

  void send(const std::string& bytes) {
    if (connection_ == nullptr) return;
    if (!bytes.empty()) connection_->send(bytes);
    recheck_ = shortest_recheck;
    give_back();
  }

  // Lets the input thread read on when the peer has taken most of what was queued; until then looks
  // again from time to time. No event tells it: `drained` speaks of the watermark alone.
  void give_back() {
    if (connection_ == nullptr || taken_bytes_ == 0) return;
    if (connection_->queued_bytes() <= StdinReader::outstanding_bytes_max / 4) {
      input_taken(std::exchange(taken_bytes_, 0));
      recheck_timer_.cancel();
    } else if (!recheck_timer_.armed()) {
      recheck_timer_.arm_after(reactor_, recheck_);
      recheck_ = std::min(2 * recheck_, longest_recheck);
    }
  }

  void explain(CloseReason reason, const std::error_code& error) {
    switch (reason) {
      case CloseReason::finished:
      case CloseReason::closed_locally:
      case CloseReason::aborted:
        return;
      case CloseReason::connect_failed:
        return fail(unavailable(fmt::format("cannot connect to {}", name()), error));
      case CloseReason::handshake_timeout:
      case CloseReason::tls_error:
      case CloseReason::truncated:
        if (!opened_) {
          return fail({exit_unavailable,
                       fmt::format("{}: TLS failed: {}", name(),
                                   error ? describe(error) : std::string(to_string(reason)))});
        }
        break;
      case CloseReason::reset_by_peer:
      case CloseReason::idle_timeout:
      case CloseReason::output_limit:
      case CloseReason::drain_timeout:
      case CloseReason::error:
        break;
    }
    // Who has taken leave does not mind how the peer does.
    if (leaving_) return;
    const std::string cause = error ? describe(error) : std::string(to_string(reason));
    fail({exit_failure,
          fmt::format("{}: {}, after {} bytes received", name(), cause, received_bytes_)});
  }

  Limits limits_;
  Connection* connection_ = nullptr;
  QuitFilter quit_;
  bool leaving_ = false;
  bool opened_ = false;
  std::size_t taken_bytes_ = 0;
  CallbackTimer recheck_timer_;
  Duration recheck_ = shortest_recheck;
};

}  // namespace

std::unique_ptr<ConnectSession> make_stream_session(Reactor& reactor,
                                                    const ConnectSettings& settings) {
  return std::make_unique<StreamSession>(reactor, settings);
}

}  // namespace tern::tool
