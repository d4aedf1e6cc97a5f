// Accepting: one client after the other, connect to close.
#include "bench/micro/micro.hpp"

namespace tern::micro {
namespace {

// Aborts what it opened as soon as it is open, so that no port stays taken.
struct Visitor final : Protocol {
  void opened(Connection& connection) override { connection.abort(); }
  void received(Connection&, std::span<const std::byte>) override {}
};

void accept_and_close(benchmark::State& state) {
  Limits limits;
  Sink sink;
  Visitor visitor;
  Reactor reactor;
  Listener listener(reactor, Endpoint::ipv4({127, 0, 0, 1}, 0), sink, limits);
  Connector connector(reactor, visitor, limits);
  for (auto _ : state) {
    const auto gone = reactor.counters().closed_total();
    connector.connect(listener.local());
    while (reactor.counters().closed_total() < gone + 2) reactor.turn(forever);
  }
}

[[maybe_unused]] const bool added = [] {
  add("listener/accept_and_close", accept_and_close);
  return true;
}();

}  // namespace
}  // namespace tern::micro
