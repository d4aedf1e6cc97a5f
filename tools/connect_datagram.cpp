// A session over UDP: each line of the input is one datagram, and each datagram that comes is
// printed as it is. Datagrams have no end: after the input's end, silence is taken for one.
#include <vector>

#include "tern/datagram_socket.hpp"
#include "tools/address.hpp"
#include "tools/connect_session.hpp"
#include "tools/lines.hpp"

namespace tern::tool {
namespace {

class DatagramSession final : public ConnectSession, private DatagramProtocol {
 public:
  DatagramSession(Reactor& reactor, const ConnectSettings& settings, const Endpoint& peer)
      : ConnectSession(reactor, settings),
        peer_(peer),
        quit_(settings.quit_word),
        lines_(DatagramSocket::payload_bytes_max) {}

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

  void failed(DatagramSocket&, const std::error_code& error) override {
    log(LogLevel::warning, "{} ({}): {}", name(), peer_.to_string(), describe(error));
    error_ = error;
    if (ending_ && received_datagrams_ == 0) give_up();
  }

  void closed(DatagramSocket& socket) override {
    socket_ = nullptr;
    if (socket.dropped() > 0) {
      log(LogLevel::warning, "{} datagrams found no room in the send buffer and were not sent",
          socket.dropped());
    }
    if (error_ && received_datagrams_ == 0) {
      fail(unavailable(fmt::format("{} ({})", name(), peer_.to_string()), error_));
    }
    stop();
  }

  void input_arrived(const std::string& bytes) override {
    std::string passed;
    const bool quit = quit_.feed(bytes, passed);
    std::vector<std::string> lines;
    lines_.feed(passed, lines);
    send(lines);
    input_->taken(bytes.size());
    if (quit) {
      stop_input();
      await_answers();
    }
  }

  void input_ended() override {
    std::string passed;
    quit_.finish(passed);
    std::vector<std::string> lines;
    lines_.feed(passed, lines);
    lines_.finish(lines);
    send(lines);
    await_answers();
  }

  void await_answers() {
    ending_ = true;
    if (sent_datagrams_ == 0 || (error_ && received_datagrams_ == 0)) return give_up();
    await_silence();
  }

  void silence() override { give_up(); }

  void give_up() override {
    if (socket_ != nullptr) socket_->close();
  }

  void send(const std::vector<std::string>& lines) {
    if (socket_ == nullptr || lines.empty()) return;
    std::vector<Datagram> datagrams;
    datagrams.reserve(lines.size());
    for (const std::string& line : lines) {
      datagrams.push_back({std::as_bytes(std::span(line)), {}, false});
    }
    sent_datagrams_ += socket_->send(datagrams);
  }

  Endpoint peer_;
  DatagramSocket* socket_ = nullptr;
  QuitFilter quit_;
  LineSplitter lines_;
  std::uint64_t sent_datagrams_ = 0;
  std::uint64_t received_datagrams_ = 0;
  std::error_code error_;
  bool ending_ = false;
};

}  // namespace

std::unique_ptr<ConnectSession> make_datagram_session(Reactor& reactor,
                                                      const ConnectSettings& settings) {
  return std::make_unique<DatagramSession>(reactor, settings, resolve_url(settings.url).front());
}

}  // namespace tern::tool
