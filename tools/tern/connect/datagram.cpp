// A session over UDP: each line of the input is one datagram, and each datagram that comes is
// printed as it is. Datagrams have no end: after the input's end, silence is taken for one.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "tern/datagram_socket.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/connect/line_splitter.hpp"
#include "tools/tern/connect/quit_filter.hpp"
#include "tools/tern/connect/session.hpp"

namespace tern::tool {
namespace {

// Lines leave in small batches with a pause between, so that a file as input does not drown the
// answers to its own beginning: about 32,000 a second.
constexpr std::size_t batch_max = 32;
constexpr Duration pause = std::chrono::milliseconds(1);

class DatagramSession final : public ConnectSession, private DatagramProtocol {
 public:
  DatagramSession(Reactor& reactor, const ConnectSettings& settings, const Endpoint& peer)
      : ConnectSession(reactor, settings),
        peer_(peer),
        quit_(settings.quit_word),
        splitter_(DatagramSocket::payload_bytes_max),
        pause_timer_([this] { send_batch(); }) {}

  void start() override {
    try {
      socket_ = &DatagramSocket::open(reactor_, *this, {}, peer_);
    } catch (const std::system_error& error) {
      throw unavailable(error);
    }
    log(LogLevel::info, "sending each line to {} as a datagram", peer_.to_string());
    read_input();
  }

  void interrupted() override { give_up(); }

 private:
  void received(DatagramSocket&, std::span<const Datagram> datagrams) override {
    for (const Datagram& datagram : datagrams) {
      ++received_datagrams_;
      if (datagram.truncated) log(LogLevel::warning, "a datagram lost its tail: it was too long");
      output(datagram.bytes);
    }
  }

  // A bounced datagram ends nothing while the user may still start the server.
  void failed(DatagramSocket&, const std::error_code& error) override {
    error_ = error;
    ++bounced_datagrams_;
    if (is_terminal(system::Stream::input)) {
      log(LogLevel::warning, "{} ({}): {}", name(), peer_.to_string(), describe(error));
    }
    if (ending_ && received_datagrams_ == 0) give_up();
  }

  void closed(DatagramSocket& socket) override {
    socket_ = nullptr;
    pause_timer_.cancel();
    if (socket.dropped() > 0) {
      log(LogLevel::warning, "datagrams not sent, since the send buffer was full: {}",
          socket.dropped());
    }
    if (error_ && received_datagrams_ == 0) {
      fail(unavailable(fmt::format("{} ({})", name(), peer_.to_string()), error_));
    } else if (error_) {
      log(LogLevel::warning, "datagrams bounced: {} ({})", bounced_datagrams_, describe(error_));
    }
    stop();
  }

  void input_arrived(const std::string& bytes) override {
    std::string passed;
    const bool quit = quit_.feed(bytes, passed);
    splitter_.feed(passed, lines_);
    taken_bytes_ += bytes.size();
    if (quit) {
      stop_input();
      ending_ = true;
    }
    if (!pause_timer_.armed()) send_batch();
  }

  void input_ended() override {
    std::string passed;
    quit_.finish(passed);
    splitter_.feed(passed, lines_);
    splitter_.finish(lines_);
    ending_ = true;
    if (!pause_timer_.armed()) send_batch();
  }

  void send_batch() {
    if (socket_ == nullptr) return;
    const std::size_t count = std::min(lines_.size() - sent_lines_, batch_max);
    std::array<Datagram, batch_max> datagrams;
    for (std::size_t i = 0; i < count; ++i) {
      datagrams[i].bytes = std::as_bytes(std::span(lines_[sent_lines_ + i]));
    }
    if (count > 0) sent_datagrams_ += socket_->send(std::span(datagrams).first(count));
    sent_lines_ += count;
    if (sent_lines_ < lines_.size()) return pause_timer_.arm_after(reactor_, pause);
    lines_.clear();
    sent_lines_ = 0;
    input_taken(std::exchange(taken_bytes_, 0));
    if (ending_) await_answers();
  }

  void await_answers() {
    if (sent_datagrams_ == 0 || (error_ && received_datagrams_ == 0)) return give_up();
    await_silence();
  }

  void silence() override { give_up(); }

  void give_up() override {
    if (socket_ != nullptr) socket_->close();
  }

  Endpoint peer_;
  DatagramSocket* socket_ = nullptr;
  QuitFilter quit_;
  LineSplitter splitter_;
  std::vector<std::string> lines_;  // those from `sent_lines_` on are still to be sent
  std::size_t sent_lines_ = 0;
  std::size_t taken_bytes_ = 0;
  CallbackTimer pause_timer_;
  std::uint64_t sent_datagrams_ = 0;
  std::uint64_t received_datagrams_ = 0;
  std::uint64_t bounced_datagrams_ = 0;
  std::error_code error_;
  bool ending_ = false;
};

}  // namespace

std::unique_ptr<ConnectSession> make_datagram_session(Reactor& reactor,
                                                      const ConnectSettings& settings) {
  return std::make_unique<DatagramSession>(reactor, settings, resolve_url(settings.url).front());
}

}  // namespace tern::tool
