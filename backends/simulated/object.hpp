// Object: a socket inside the simulated kernel, and those who are told when it changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "backends/poller.hpp"
#include "backends/simulated/simulation.hpp"

namespace tern::simulated {

// A poller as the network sees it.
class Participant {
 public:
  // The object of this slot may have something to report.
  virtual void changed(std::uint32_t index) = 0;
  // It has something to do that only its own wait() can do.
  virtual bool wants_turn() const = 0;
  // Until when its last wait would have waited. Time::max(): nobody has to hurry for its sake.
  virtual Time idle_until() const = 0;
  // Another poller has returned early for its sake, once is enough.
  virtual void pass_over() = 0;
  // Unfinished connects, sends and closes.
  virtual std::size_t pending_operations() const = 0;

 protected:
  ~Participant() = default;
};

class Object {
 public:
  Object(Simulation& simulation_of, SocketKind kind_of)
      : simulation(simulation_of), kind(kind_of) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void changed() const {
    if (watcher != nullptr) watcher->changed(index);
  }
  Socket socket() const { return {handle, kind}; }

  Simulation& simulation;
  const SocketKind kind;
  std::intptr_t handle = -1;  // -1: in an accept queue, or closed
  Endpoint local;
  Endpoint peer;
  Participant* watcher = nullptr;  // where it is attached
  std::uint32_t index = 0;         // and in which slot
};

}  // namespace tern::simulated
