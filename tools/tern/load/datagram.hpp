// DatagramTraffic: clients over UDP, each with a socket of its own.
//
//   Closed loop: a client keeps `depth` datagrams under way. One that is not answered within
//   --udp-timeout is counted as lost and replaced by the next.
//   Open loop: the clients take turns with the datagrams that fall due. A client whose window is
//   full (see window_of) lets them wait; their latency counts from the plan.
//
//        datagram  ┌ slot 4 │ client 4 │ sequence 8 │ pattern ... ┐   the message's size in all
//                  └────────┴──────────┴────────────┴─────────────┘
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "tern/datagram_socket.hpp"
#include "tools/tern/load/send_times.hpp"
#include "tools/tern/load/traffic.hpp"
#include "tools/tern/load/window.hpp"

namespace tern::tool {

// Slot, client and sequence number.
inline constexpr std::size_t datagram_header_bytes = 16;

class DatagramTraffic final : public Traffic, private DatagramProtocol {
 public:
  DatagramTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                  std::function<void()> changed);

  void open(std::size_t number) override;
  void start() override;
  bool begin_planned(std::int64_t planned_ns, std::int64_t now_ns) override;
  void stop_sending() override;
  void check() override;
  Duration check_interval() const override;
  void give_up() override;
  void finish_all() override;
  void abort_all() override { finish_all(); }

 private:
  struct Client {
    Client(std::size_t number_, std::size_t depth) : window(depth), number(number_) {}

    DatagramSocket* socket = nullptr;  // null once it is closed
    DatagramWindow window;
    SendTimes waiting;  // open loop: planned, and no room in the window yet
    std::size_t number;
    std::size_t first_index = 0;
    std::uint64_t quota = 0;
    bool busy = false;     // counted in unfinished()
    bool opening = false;  // an idle one that awaits its answer
    bool idle = false;
  };

  void received(DatagramSocket& socket, std::span<const Datagram> datagrams) override;
  void failed(DatagramSocket& socket, const std::error_code& error) override;
  void closed(DatagramSocket& socket) override;

  void take(Client& client, const Datagram& datagram, std::int64_t now_ns);
  // Whether it is what was sent; if so, `tag` is read from it.
  bool read(const Client& client, const Datagram& datagram, DatagramWindow::Tag& tag) const;
  void write(const Client& client, const DatagramWindow::Tag& tag, std::span<std::byte> into) const;
  bool may_send(const Client& client) const;
  // Sends what the window and the quota or, in an open loop, the plan allow.
  void fill(Client& client, std::int64_t now_ns);
  void settle(Client& client);

  std::size_t message_bytes_;
  std::size_t depth_;
  bool paced_;
  std::size_t turn_ = 0;       // open loop: the client whose turn it is
  std::int64_t heard_ns_ = 0;  // when any datagram last came, or sending began
  std::vector<std::byte> bytes_;
  std::vector<Datagram> batch_;
  std::deque<Client> clients_;
};

}  // namespace tern::tool
