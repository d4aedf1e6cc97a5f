// What a backend's world has left: counting its sockets and using up the last one. The portable
// face of what each world does its own way; the primary template is for a POSIX kernel.
#pragma once

#include <cstddef>

#include "backends/simulated/canary.hpp"
#include "backends/simulated/simulated.hpp"
#include "tests/support/descriptors.hpp"

namespace tern::test {

template <class P>
struct Resources {
  // Sockets that somebody must still close; other descriptors may be counted with them.
  static std::size_t open_sockets() { return open_descriptors(); }
  // While it lives no further socket can be had: accepting fails with too_many_files_open.
  using Exhaustion = NoMoreDescriptors;
};

struct SimulatedResources {
  static std::size_t open_sockets() { return simulated::Network::current().open_sockets(); }

  class Exhaustion {
   public:
    Exhaustion() : faults_(simulated::Network::current().faults()), before_(faults_.sockets_max) {
      faults_.sockets_max = open_sockets();
    }
    ~Exhaustion() { faults_.sockets_max = before_; }
    Exhaustion(const Exhaustion&) = delete;
    Exhaustion& operator=(const Exhaustion&) = delete;

   private:
    simulated::Faults& faults_;
    std::size_t before_;
  };
};

template <>
struct Resources<simulated::Poller> : SimulatedResources {};
template <>
struct Resources<canary::Poller> : SimulatedResources {};

}  // namespace tern::test
