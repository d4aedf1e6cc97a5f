// StreamTraffic: clients over TCP and Unix sockets.
//
//   Closed loop: a client keeps `depth` messages unanswered: each answered one is followed by the
//   next. All that one receive answers is followed by one send.
//   Open loop: the clients take turns with the messages that fall due, whatever is unanswered. What
//   a stalled server leaves unanswered costs 16 bytes a message until --timeout ends the client.
//
//        opening ──► ready ──► busy ──► ready ──► closing ──►  closed
//           │                    ▲        (share done, or run over)
//           ├──► (idle: exchanges one message) ──► held ──► closing
//           └──────── any error ────────► failed ──► closed
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tools/tern/load/send_times.hpp"
#include "tools/tern/load/traffic.hpp"

namespace tern::tool {

class StreamTraffic final : public Traffic, private Protocol {
 public:
  StreamTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                std::function<void()> changed);

  void open(std::size_t number) override;
  void start() override;
  bool begin_planned(std::int64_t planned_ns, std::int64_t now_ns) override;
  void stop_sending() override;
  void check() override;
  void give_up() override;
  void finish_all() override;
  void abort_all() override;

 private:
  enum class State : std::uint8_t { opening, ready, busy, held, closing, failed };

  struct Client {
    Connection* connection = nullptr;  // null before it is opened and after it is closed
    std::size_t send_index = 0;        // in the pattern
    std::size_t receive_index = 0;
    std::uint64_t awaited_bytes = 0;  // given to the connection and not come back yet
    std::uint64_t partial_bytes = 0;  // come back of the oldest unanswered message
    std::uint64_t unsent_bytes = 0;   // of begun messages, not given to the connection yet
    std::uint64_t quota = 0;          // messages that may still be begun
    std::uint64_t unanswered = 0;     // messages begun and not answered
    std::uint64_t answered = 0;
    std::int64_t progress_ns = 0;  // when bytes last came, or sending began
    SendTimes send_times;
    std::size_t number = 0;
    State state = State::opening;
    bool idle = false;
  };

  void opened(Connection& connection) override;
  void received(Connection& connection, std::span<const std::byte> bytes) override;
  void ended(Connection& connection) override;
  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override;

  void begin(Client& client, std::uint64_t messages, std::int64_t begun_ns);
  void complete(Client& client, std::uint64_t messages, std::int64_t now_ns);
  void complete_last(Client& client);
  void send_unsent(Client& client);
  void unexpected(Client& client, std::span<const std::byte> bytes);
  void fail(Client& client, LoadError error, const std::string& what);
  // Takes a client out of the gauge that its state belongs to.
  void leave_state(Client& client, State next);
  std::string unanswered_text(const Client& client) const;

  Limits limits_;
  std::size_t message_bytes_;
  std::uint64_t depth_;
  // Whether what a client may have under way is more than its connection should queue.
  bool windowed_;
  bool paced_;
  bool stopping_ = false;
  std::size_t turn_ = 0;  // open loop: the client whose turn it is
  std::deque<Client> clients_;
};

}  // namespace tern::tool
