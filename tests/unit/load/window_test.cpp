// What a returning datagram means.
#include "tools/tern/load/window.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "support/case.hpp"

namespace {

using tern::test::Random;
using tern::tool::DatagramWindow;
using Meaning = DatagramWindow::Meaning;
using Tag = DatagramWindow::Tag;

TEST_CASE("datagram window: the first answer counts, with its sending time, the second is a copy") {
  DatagramWindow window(2);
  const Tag first = window.send(100);
  const Tag second = window.send(200);
  CHECK(window.full());
  CHECK(first.slot != second.slot);
  CHECK(first.sequence + 1 == second.sequence);

  const auto arrival = window.arrive(first);
  CHECK(arrival.meaning == Meaning::answer);
  CHECK(arrival.begun_ns == 100);
  CHECK_FALSE(arrival.reordered);
  CHECK_FALSE(window.full());
  CHECK(window.arrive(first).meaning == Meaning::duplicated);
  CHECK(window.arrive(first).meaning == Meaning::duplicated);
  CHECK(window.under_way() == 1);
  CHECK(window.arrive(second).begun_ns == 200);
  CHECK(window.under_way() == 0);
}

TEST_CASE("datagram window: an answer that another overtook is reordered") {
  DatagramWindow window(3);
  const Tag first = window.send(1);
  const Tag second = window.send(2);
  const Tag third = window.send(3);
  CHECK_FALSE(window.arrive(second).reordered);
  CHECK(window.arrive(first).reordered);
  CHECK_FALSE(window.arrive(third).reordered);
  // A copy is a copy, not a reordered answer.
  CHECK_FALSE(window.arrive(first).reordered);
}

TEST_CASE("datagram window: the very first datagram may be overtaken, too") {
  DatagramWindow window(2);
  const Tag first = window.send(1);
  CHECK_FALSE(window.arrive(first).reordered);
  const Tag second = window.send(2);
  CHECK_FALSE(window.arrive(second).reordered);
}

TEST_CASE("datagram window: what is given up comes late, once") {
  DatagramWindow window(2);
  const Tag lost = window.send(10);
  const Tag kept = window.send(11);
  CHECK(window.expire(9) == 0);
  CHECK(window.expire(10) == 1);
  CHECK(window.expire(10) == 0);
  CHECK_FALSE(window.full());
  // Its slot has a new datagram meanwhile, which the late one must not answer.
  const Tag next = window.send(20);
  CHECK(next.slot == lost.slot);
  CHECK(window.arrive(lost).meaning == Meaning::late);
  CHECK(window.arrive(lost).meaning == Meaning::duplicated);
  CHECK(window.arrive(next).meaning == Meaning::answer);
  CHECK(window.arrive(kept).meaning == Meaning::answer);
}

TEST_CASE("datagram window: tags that were never given are unknown") {
  DatagramWindow window(2);
  CHECK(window.arrive({0, 0}).meaning == Meaning::unknown);
  const Tag tag = window.send(1);
  CHECK(window.arrive({7, tag.sequence}).meaning == Meaning::unknown);
  CHECK(window.arrive({tag.slot, tag.sequence + 1}).meaning == Meaning::unknown);
  CHECK(window.arrive({tag.slot, UINT64_MAX}).meaning == Meaning::unknown);
  CHECK(window.arrive(tag).meaning == Meaning::answer);
}

TEST_CASE("datagram window: a network that loses, copies and reorders is counted exactly") {
  Random random(tern::test::test_seed());
  DatagramWindow window(8);
  std::vector<Tag> network;
  std::map<std::uint64_t, std::int64_t> under_way;  // sequence number to sending time
  std::uint64_t answers = 0;
  std::uint64_t lost = 0;
  std::uint64_t sent = 0;
  for (std::int64_t now_ns = 1; now_ns <= 100'000; ++now_ns) {
    if (!window.full() && random.one_in(2)) {
      const Tag tag = window.send(now_ns);
      under_way.emplace(tag.sequence, now_ns);
      ++sent;
      const std::size_t copies = random.below(4) == 0 ? 0 : 1 + random.below(2);
      network.insert(network.end(), copies, tag);
    }
    if (!network.empty() && random.one_in(2)) {
      const std::size_t chosen = random.below(network.size());
      const Tag tag = network[chosen];
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(chosen));
      const auto found = under_way.find(tag.sequence);
      const auto arrival = window.arrive(tag);
      REQUIRE((arrival.meaning == Meaning::answer) == (found != under_way.end()));
      if (found != under_way.end()) {
        REQUIRE(arrival.begun_ns == found->second);
        under_way.erase(found);
        ++answers;
      }
    }
    const std::size_t expired = window.expire(now_ns - 100);
    REQUIRE(expired == std::erase_if(under_way, [&](const auto& entry) {
              return entry.second <= now_ns - 100;
            }));
    lost += expired;
    REQUIRE(window.under_way() == under_way.size());
  }
  CHECK(answers + lost + under_way.size() == sent);
  CHECK(lost > 0);
}

}  // namespace
