// World: where a case runs: a backend, and for the simulated one the network that its pollers live
// on. It is made before the case with the case's seed, and is there until the case is over.
//
//   THREAD  made and destroyed while no other thread runs; looked at from any.
//   1  The one made last is the process's current one until it is destroyed; worlds nest.
#pragma once

#include <memory>

#include "tests/support/any_poller.hpp"

namespace tern::test {

class World {
 public:
  explicit World(const Backend& backend, std::shared_ptr<const void> surroundings = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Of the current world. REQUIRES that there is one.
  static const Backend& backend();

 private:
  const Backend& backend_;
  std::shared_ptr<const void> surroundings_;
  const World* previous_;
};

// The set-up calls of the world that the case runs in.
inline const SocketCalls& sockets() { return World::backend().sockets; }

}  // namespace tern::test
