#include "tests/contract/support/worlds.hpp"

#include <chrono>

#include "backends/simulated/canary.hpp"
#include "backends/simulated/simulated.hpp"
#include "tests/support/backend_of.hpp"

#ifdef TERN_TEST_EPOLL
#include "backends/epoll/epoll.hpp"
#endif
#ifdef TERN_TEST_IO_URING
#include "backends/io_uring/io_uring.hpp"
#endif
#ifdef TERN_TEST_KQUEUE
#include "backends/kqueue/kqueue.hpp"
#endif
#ifdef TERN_TEST_IOCP
#include "backends/iocp/iocp.hpp"
#include "tests/contract/always_queued.hpp"
#endif

namespace tern::test::worlds {
namespace {

using tern::simulated::Faults;
using tern::simulated::Style;

std::shared_ptr<const void> network(std::uint64_t seed, const Faults& faults, Style style) {
  auto made = std::make_shared<tern::simulated::Network>(seed, faults, style);
  // Cases with threads wake a poller from outside, which takes real time.
  made->allow_blocking_waits(true);
  return made;
}

// Whatever the contract allows to differ between kernels, without breaking a connection.
Faults unkind() {
  Faults faults;
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

}  // namespace

#ifdef TERN_TEST_EPOLL
World epoll(std::uint64_t) { return World(backend_of<tern::epoll::Poller>()); }
#endif

#ifdef TERN_TEST_IO_URING
World io_uring(std::uint64_t) { return World(backend_of<tern::io_uring::Poller>()); }
#endif

#ifdef TERN_TEST_KQUEUE
World kqueue(std::uint64_t) { return World(backend_of<tern::kqueue::Poller>()); }
#endif

#ifdef TERN_TEST_IOCP
World iocp(std::uint64_t) { return World(backend_of<tern::iocp::Poller>()); }
World iocp_queued(std::uint64_t) {
  return World(backend_of<tern::iocp::Poller>(), std::make_shared<AlwaysQueued>());
}
#endif

World simulated(std::uint64_t seed) {
  return World(backend_of<tern::simulated::Poller>(),
               network(seed, Faults::none(), Style::readiness));
}

World simulated_completion(std::uint64_t seed) {
  return World(backend_of<tern::simulated::Poller>(),
               network(seed, Faults::none(), Style::completion));
}

World simulated_unkind(std::uint64_t seed) {
  return World(backend_of<tern::simulated::Poller>(), network(seed, unkind(), Style::any));
}

World canary(std::uint64_t seed) {
  return World(backend_of<tern::canary::Poller>(), network(seed, Faults::none(), Style::readiness));
}

}  // namespace tern::test::worlds
