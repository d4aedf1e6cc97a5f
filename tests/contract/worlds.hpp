// Worlds: where a case runs. Each is named as its cases end, is made before a case with the case's
// seed and lives until the case is over.
//
//   epoll ...              the kernel of this machine
//   simulated              a quiet network in memory, in the manner of a readiness kernel
//   simulated_completion   the same in the manner of IOCP and io_uring: sends finish later
//   simulated_unkind       everything in small pieces, late, out of order; one manner or the other
#pragma once

#include <chrono>
#include <cstdint>

#include "backends/simulated/simulated.hpp"

namespace tern::test::worlds {

// A kernel is there without being made.
struct Kernel {
  static constexpr bool is_simulated = false;
  explicit Kernel(std::uint64_t) {}
};

class Simulated {
 public:
  static constexpr bool is_simulated = true;
  explicit Simulated(std::uint64_t seed,
                     const simulated::Faults& faults = simulated::Faults::none(),
                     simulated::Style style = simulated::Style::readiness)
      : network_(seed, faults, style) {
    // Cases with threads wake a poller from outside, which takes real time.
    network_.allow_blocking_waits(true);
  }

 private:
  simulated::Network network_;
};

struct SimulatedCompletion : Simulated {
  explicit SimulatedCompletion(std::uint64_t seed)
      : Simulated(seed, simulated::Faults::none(), simulated::Style::completion) {}
};

// Whatever the contract allows to differ between kernels, without breaking a connection.
struct SimulatedUnkind : Simulated {
  explicit SimulatedUnkind(std::uint64_t seed) : Simulated(seed, unkind(), simulated::Style::any) {}

 private:
  static simulated::Faults unkind() {
    simulated::Faults faults;
    faults.latency_max = std::chrono::microseconds(200);
    faults.partial_send = 0.3;
    faults.partial_receive = 0.3;
    faults.spurious_send = 0.1;
    faults.connect_delay_max = std::chrono::milliseconds(1);
    faults.late_completion = 0.2;
    faults.shuffles_channels = true;
    faults.datagram_try_again = 0.2;
    return faults;
  }
};

}  // namespace tern::test::worlds
