// What the micro-benchmarks share: their names, and connections inside one reactor.
//
//   Names are <area>/<case>/<backend>, so that results of two backends can be put side by side.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tern/tern.hpp"

namespace tern::micro {

// All that add() was given, so that main() can set how often each runs.
inline std::vector<benchmark::internal::Benchmark*>& registered() {
  static std::vector<benchmark::internal::Benchmark*> all;
  return all;
}

inline benchmark::internal::Benchmark* add(const std::string& area_and_case,
                                           void (*function)(benchmark::State&)) {
  const std::string name = area_and_case + "/" + std::string(Reactor::poller_name());
  return registered().emplace_back(benchmark::RegisterBenchmark(name.c_str(), function));
}

// Accepts and counts; what is received is dropped, or sent back.
struct Sink : Protocol {
  void opened(Connection& connection) override { connections.push_back(&connection); }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    received_bytes += bytes.size();
    if (echoes) connection.send(bytes);
  }
  void closed(Connection& connection, CloseReason, const std::error_code&) override {
    std::erase(connections, &connection);
  }
  std::vector<Connection*> connections;
  std::size_t received_bytes = 0;
  bool echoes = false;
};

// `count` connections on loopback, both ends in one reactor.
class Loopback {
 public:
  explicit Loopback(std::size_t count)
      : listener_(reactor, Endpoint::ipv4({127, 0, 0, 1}, 0), server, limits),
        connector_(reactor, client, limits) {
    for (std::size_t i = 0; i < count; ++i) {
      connector_.connect(listener_.local());
      // A bounded number at once: the backlog is finite.
      while (client.connections.size() + 64 < i) reactor.turn(std::chrono::seconds(1));
    }
    while (client.connections.size() < count || server.connections.size() < count) {
      reactor.turn(std::chrono::seconds(1));
    }
  }

  Limits limits;
  Sink server;
  Sink client;
  Reactor reactor;

 private:
  Listener listener_;
  Connector connector_;
};

}  // namespace tern::micro
