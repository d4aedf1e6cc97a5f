// ChurnTraffic: clients over TCP and Unix sockets that make a connection for every message.
//
//        waiting ──► connecting ──► asking ──► ending ──► over
//                        ▲            (echo complete)   │ (share done, or run over)
//                        └──────────────────────────────┘
//
//   The latency of a message is that of the whole exchange: from before its connect to the last
//   byte of its echo. The end, which the client says first, is not part of it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>

#include "tern/connection.hpp"
#include "tern/connector.hpp"
#include "tools/load_traffic.hpp"

namespace tern::tool {

class ChurnTraffic final : public Traffic, private Protocol {
 public:
  ChurnTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
               std::function<void()> changed);

  void open(std::size_t number) override;
  void start() override;
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
    std::uint64_t quota = 0;  // exchanges that may still be begun
    std::int64_t begun_ns = 0;
    std::size_t number = 0;
    State state = State::waiting;
    bool failed = false;
  };

  void opened(Connection& connection) override;
  void received(Connection& connection, std::span<const std::byte> bytes) override;
  void ended(Connection& connection) override;
  void closed(Connection& connection, CloseReason reason, const std::error_code& error) override;

  void begin(Client& client);
  void send_message(Connection& connection, std::size_t index);
  void fail(Client& client, LoadError error, const std::string& what);
  void abort(Client& client);

  Limits limits_;
  std::size_t message_bytes_;
  std::size_t made_ = 0;  // connections, over all clients of this worker
  std::deque<Client> clients_;
};

}  // namespace tern::tool
