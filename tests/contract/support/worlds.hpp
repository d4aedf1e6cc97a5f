// The worlds that a contract case runs in. Each is named as its cases end, and is made with the
// case's seed.
//
//   epoll ...              the kernel of this machine
//   iocp_queued            what is done at once brings a packet all the same
//   simulated              a quiet network in memory, in the manner of a readiness kernel
//   simulated_completion   the same in the manner of IOCP and io_uring: sends finish later
//   simulated_unkind       everything in small pieces, late, out of order; one manner or the other
//   canary                 the quiet network, with pollers that break a rule
#pragma once

#include <cstdint>

#include "tests/support/world.hpp"

namespace tern::test {

using MakeWorld = World (*)(std::uint64_t seed);

namespace worlds {

// A backend's are there where the build has it.
World epoll(std::uint64_t seed);
World io_uring(std::uint64_t seed);
World kqueue(std::uint64_t seed);
World iocp(std::uint64_t seed);
World iocp_queued(std::uint64_t seed);
World simulated(std::uint64_t seed);
World simulated_completion(std::uint64_t seed);
World simulated_unkind(std::uint64_t seed);
World canary(std::uint64_t seed);

}  // namespace worlds
}  // namespace tern::test
