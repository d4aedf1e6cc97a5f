// ChurnTraffic: clients over TCP and Unix sockets that make a connection for every message.
//
//        waiting ──► connecting ──► asking ──► ending ──► over
//                        ▲            (echo complete)   │ (share done, or run over)
//                        └──────────────────────────────┘
//
//   Closed loop: the end of one exchange is followed by the next. Open loop: an exchange that falls
//   due takes a free client; while there is none it waits, and its latency counts from the plan.
//
//   The latency of a message is that of the whole exchange: from before its connect to the last
//   byte of its echo. The end, which the client says first, is not part of it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tools/tern/load/send_times.hpp"
#include "tools/tern/load/traffic.hpp"

namespace tern::tool {

class ChurnTraffic final : public Traffic, private Protocol {
 public:
  ChurnTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
               std::function<void()> changed);

  void open(std::size_t number) override;
  void start() override;
  bool begin_planned(std::int64_t planned_ns, std::int64_t now_ns) override;
  void stop_sending() override;
  void check() override;
  void give_up() override;
  void finish_all() override {}  // each has ended by itself
  void abort_all() override;

 private:
  enum class State : std::uint8_t { waiting, connecting, asking, ending, over };

  struct Client {
    Connection* connection = nullptr;
    std::size_t receive_index = 0;  // in the pattern
    std::size_t received_bytes = 0;
    std::uint64_t quota = 0;      // exchanges that may still be begun
    std::int64_t begun_ns = 0;    // or, in an open loop, planned
    std::int64_t connect_ns = 0;  // when its connect was begun
    std::size_t number = 0;
    State state = State::waiting;
    bool failed = false;
  };

  void opened(Connection& connection) override;
  void received(Connection& connection, std::span<const std::byte> bytes) override;
  void ended(Connection& connection) override;
  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override;

  void begin(Client& client, std::int64_t begun_ns);
  // Open loop: after an exchange, the next that waits; none: to the free clients, or over.
  void go_on(Client& client);
  void finish_free();
  void drop_waiting();
  void send_message(Connection& connection, std::size_t index);
  void fail(Client& client, LoadError error, const std::string& what);
  void abort(Client& client);

  Limits limits_;
  std::size_t message_bytes_;
  bool paced_;
  std::uint64_t planned_left_ = 0;  // open loop: exchanges that may still be planned
  SendTimes waiting_;               // open loop: planned, and every client is busy
  std::vector<Client*> free_;       // open loop: those that wait for an exchange
  std::size_t made_ = 0;            // connections, over all clients of this worker
  std::deque<Client> clients_;
};

}  // namespace tern::tool
