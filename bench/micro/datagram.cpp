// Datagrams: one at a time, and as many in a turn as the kernel is handed in one call.
#include <array>

#include "bench/micro/micro.hpp"

namespace tern::micro {
namespace {

struct Counter final : DatagramProtocol {
  void received(DatagramSocket&, std::span<const Datagram> datagrams) override {
    count += datagrams.size();
  }
  std::size_t count = 0;
};

template <std::size_t batch>
void send_and_receive(benchmark::State& state) {
  Counter heard;
  Counter unheard;
  Reactor reactor;
  const Endpoint loopback = Endpoint::ipv4({127, 0, 0, 1}, 0);
  DatagramSocket& receiver = DatagramSocket::open(reactor, heard, loopback);
  DatagramSocket& sender = DatagramSocket::open(reactor, unheard, loopback, receiver.local());
  const std::vector<std::byte> message(64);
  std::array<Datagram, batch> datagrams;
  for (Datagram& each : datagrams) each.bytes = message;
  for (auto _ : state) {
    const std::size_t all = heard.count + sender.send(datagrams);
    while (heard.count < all) reactor.turn(forever);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(heard.count));
}

[[maybe_unused]] const bool added = [] {
  add("datagram/send_and_receive_64", send_and_receive<1>);
  add("datagram/send_and_receive_64_by_32", send_and_receive<32>);
  return true;
}();

}  // namespace
}  // namespace tern::micro
