// Connections: queueing, sending, and the same line to a thousand of them.
#include "bench/micro/micro.hpp"
#include "src/core/connection/output_queue.hpp"

namespace tern::micro {
namespace {

// Copies into the queue and taken out again, without a kernel.
void queue_copy_64(benchmark::State& state) {
  BlockPool pool;
  OutputQueue queue;
  const std::vector<std::byte> message(64);
  for (auto _ : state) {
    for (int i = 0; i < 16; ++i) queue.append_copy(message, pool);
    queue.consume(queue.bytes(), pool);
  }
  state.SetItemsProcessed(state.iterations() * 16);
}

void queue_share(benchmark::State& state) {
  BlockPool pool;
  OutputQueue queue;
  const SharedBuffer line = SharedBuffer::copy_of("a line that many will read\n");
  for (auto _ : state) {
    for (int i = 0; i < 16; ++i) queue.append(line, pool);
    queue.consume(queue.bytes(), pool);
  }
  state.SetItemsProcessed(state.iterations() * 16);
}

// One message through send(), the turn's flush, the kernel, and received() at the other end.
template <std::size_t bytes>
void send(benchmark::State& state) {
  Loopback loopback(1);
  Connection& connection = *loopback.client.connections.front();
  const std::vector<std::byte> message(bytes);
  for (auto _ : state) {
    const std::size_t all = loopback.server.received_bytes + bytes;
    connection.send(message);
    while (loopback.server.received_bytes < all) loopback.reactor.turn(forever);
  }
}

// There and back: what is sent from within received() has a shorter way.
void echo_64(benchmark::State& state) {
  Loopback loopback(1);
  loopback.server.echoes = true;
  Connection& connection = *loopback.client.connections.front();
  const std::vector<std::byte> message(64);
  for (auto _ : state) {
    const std::size_t all = loopback.client.received_bytes + message.size();
    connection.send(message);
    while (loopback.client.received_bytes < all) loopback.reactor.turn(forever);
  }
}

// Each iteration is one delivery to each of 1,000: divide by the items for the cost of one.
template <int messages_per_turn>
void fan_out_to_1000(benchmark::State& state) {
  Loopback loopback(1000);
  const SharedBuffer line = SharedBuffer::copy_of(std::string(100, 'x'));
  for (auto _ : state) {
    for (Connection* connection : loopback.server.connections) {
      for (int i = 0; i < messages_per_turn; ++i) connection->send(line);
    }
    loopback.reactor.turn(Duration::zero());
    state.PauseTiming();
    while (loopback.client.received_bytes < 100 * 1000 * messages_per_turn) {
      loopback.reactor.turn(forever);
    }
    loopback.client.received_bytes = 0;
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 1000 * messages_per_turn);
}

[[maybe_unused]] const bool added = [] {
  add("output_queue/copy_64", queue_copy_64);
  add("output_queue/share", queue_share);
  add("connection/send_64", send<64>);
  add("connection/send_16384", send<16384>);
  add("connection/echo_64", echo_64);
  add("connection/fan_out_to_1000_one_a_turn", fan_out_to_1000<1>);
  add("connection/fan_out_to_1000_eight_a_turn", fan_out_to_1000<8>);
  return true;
}();

}  // namespace
}  // namespace tern::micro
