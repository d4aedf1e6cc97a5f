// Who does what share of a run, and from where.
#include "tools/tern/load/plan.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <set>

namespace {

using tern::Endpoint;
using tern::Family;
using tern::tool::LoadPlan;
using tern::tool::ports_per_source;

LoadPlan plan_of(std::size_t connections, std::size_t idle, unsigned threads,
                 std::uint64_t count = 0) {
  LoadPlan plan;
  plan.options.connections = connections;
  plan.options.idle = idle;
  plan.options.threads = threads;
  plan.options.count = count;
  return plan;
}

TEST_CASE("load plan: every client belongs to exactly one worker") {
  for (const unsigned threads : {1U, 2U, 3U, 7U}) {
    for (const std::size_t connections : {7U, 8U, 50U}) {
      for (const std::size_t idle : {0U, 1U, 20U}) {
        const LoadPlan plan = plan_of(connections, idle, threads);
        std::set<std::size_t> seen;
        for (unsigned worker = 0; worker < threads; ++worker) {
          for (std::size_t position = 0; position < plan.clients_of(worker); ++position) {
            seen.insert(plan.client_number(worker, position));
          }
        }
        REQUIRE(seen.size() == plan.clients());
        REQUIRE(*seen.rbegin() == plan.clients() - 1);
      }
    }
  }
  CHECK(plan_of(2, 0, 5).clients_of(4) == 0);
}

TEST_CASE("load plan: the shares of a count add up to the count") {
  for (const std::uint64_t count : {1U, 7U, 49U, 50U, 51U, 1'000'003U}) {
    const LoadPlan plan = plan_of(50, 5, 2, count);
    std::uint64_t sum = 0;
    for (std::size_t client = 0; client < 50; ++client) {
      const std::uint64_t share = plan.share_of(client);
      CHECK(share >= count / 50);
      CHECK(share <= count / 50 + 1);
      sum += share;
    }
    CHECK(sum == count);
    CHECK(plan.share_of(50) == 1);  // an idle one has one message, which is not counted
  }
  CHECK(plan_of(50, 0, 1).share_of(3) == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("load plan: beyond 28,000 connections to loopback the source addresses change") {
  const Endpoint loopback = *Endpoint::from_address("127.0.0.1", 7007);
  CHECK(LoadPlan::source_of(0, loopback).family() == Family::none);
  CHECK(LoadPlan::source_of(ports_per_source - 1, loopback).family() == Family::none);
  CHECK(LoadPlan::source_of(ports_per_source, loopback).to_string() == "127.0.0.2:0");
  CHECK(LoadPlan::source_of(2 * ports_per_source - 1, loopback).to_string() == "127.0.0.2:0");
  CHECK(LoadPlan::source_of(2 * ports_per_source, loopback).to_string() == "127.0.0.3:0");
  CHECK(LoadPlan::source_of(300 * ports_per_source, loopback).to_string() == "127.0.1.45:0");
}

TEST_CASE("load plan: other targets are connected to from where the kernel chooses") {
  for (const char* address : {"10.1.2.3", "::1", "2001:db8::1"}) {
    const Endpoint target = *Endpoint::from_address(address, 7007);
    CHECK(LoadPlan::source_of(3 * ports_per_source, target).family() == Family::none);
  }
  CHECK(LoadPlan::source_of(3 * ports_per_source, *Endpoint::local("/run/x")).family() ==
        Family::none);
}

TEST_CASE("load plan: descriptors are needed for all connections and a few more") {
  CHECK(plan_of(100, 0, 1).descriptors_needed() > 100);
  CHECK(plan_of(100, 50, 1).descriptors_needed() == plan_of(150, 0, 1).descriptors_needed());
  CHECK(plan_of(100, 0, 2).descriptors_needed() > plan_of(100, 0, 1).descriptors_needed());
}

}  // namespace
