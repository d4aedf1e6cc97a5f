// The poller alone: bytes from one end of a connection to the other, without reactor and
// connection above it.
#include <array>
#include <chosen.hpp>

#include "bench/micro/micro.hpp"

namespace tern::micro {
namespace {

struct End final : Owner {
  void completed(const Completion&) override {}
  Channel channel;
};

// Two connected channels of one poller.
class Pair {
 public:
  Pair() {
    std::error_code error;
    const Socket listening = Poller::Sockets::listen(Endpoint::ipv4({127, 0, 0, 1}, 0), {}, error);
    const Endpoint where = Poller::Sockets::local(listening);
    End listener;
    listener.channel = poller.attach(listening, &listener, error);
    poller.accept(listener.channel);
    const Socket socket = Poller::Sockets::stream(Family::ipv4, {}, {}, error);
    near.channel = poller.attach(socket, &near, error);
    poller.connect(near.channel, where);
    Completion completion;
    for (int seen = 0; seen < 2;) {
      poller.wait(std::chrono::seconds(1));
      while (poller.next(completion)) {
        ++seen;
        if (completion.operation != Operation::accept) continue;
        far.channel = poller.attach(completion.accepted, &far, error);
      }
    }
    poller.close(listener.channel);
    poller.receive(near.channel);
    poller.receive(far.channel);
  }

  Poller poller{PollerOptions{}};
  End near;
  End far;
};

template <std::size_t size>
void send_and_receive(benchmark::State& state) {
  Pair pair;
  const std::vector<std::byte> message(size);
  const std::array<Slice, 1> slices{Slice(message)};
  Completion completion;
  for (auto _ : state) {
    pair.poller.send(pair.near.channel, slices);
    for (std::size_t received = 0; received < size;) {
      pair.poller.wait(forever);
      while (pair.poller.next(completion)) {
        if (completion.operation == Operation::receive) received += completion.bytes.size();
      }
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * size));
}

// A wake that finds nobody asleep, and the wait that hears it.
void wake(benchmark::State& state) {
  Poller poller{PollerOptions{}};
  Completion completion;
  for (auto _ : state) {
    poller.wake();
    poller.wait(forever);
    while (poller.next(completion)) continue;
  }
}

[[maybe_unused]] const bool added = [] {
  add("poller/wake", wake);
  add("poller/send_and_receive_64", send_and_receive<64>);
  add("poller/send_and_receive_16384", send_and_receive<16384>);
  return true;
}();

}  // namespace
}  // namespace tern::micro
