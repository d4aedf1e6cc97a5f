// The output queue against a plain string, and the blocks that it takes its room from.
#include "src/core/connection/output_queue.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/support/case.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/values.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// What the next send would offer.
std::string offered(const OutputQueue& queue) {
  std::array<Slice, slices_max> slices;
  const std::size_t count = queue.gather(slices);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    CHECK_FALSE(slices[i].empty());
    text += text_of(slices[i]);
  }
  return text;
}

}  // namespace

TEST_CASE("output queue: empty at first and after everything was consumed") {
  BlockPool pool;
  OutputQueue queue;
  CHECK(queue.empty());
  CHECK(offered(queue).empty());
  queue.append_copy(bytes_of("abc"), pool);
  CHECK_FALSE(queue.empty());
  CHECK(queue.bytes() == 3);
  queue.consume(2, pool);
  CHECK(offered(queue) == "c");
  queue.consume(1, pool);
  CHECK(queue.empty());
  CHECK(offered(queue).empty());
  queue.consume(0, pool);
  queue.clear(pool);
}

TEST_CASE("output queue: small copies share a slice, shared buffers are slices of their own") {
  BlockPool pool;
  OutputQueue queue;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    queue.append_copy(bytes_of("small "), pool);
    expected += "small ";
  }
  std::array<Slice, slices_max> slices;
  CHECK(queue.gather(slices) == 1);
  const SharedBuffer shared = SharedBuffer::copy_of(std::string(1000, 's'));
  queue.append(shared, pool);
  queue.append_copy(bytes_of("small"), pool);
  CHECK(queue.gather(slices) == 3);
  CHECK(slices[1].data() == shared.bytes().data());  // not copied
  CHECK(offered(queue) == expected + std::string(1000, 's') + "small");
  queue.clear(pool);
  CHECK(queue.empty());
}

TEST_CASE("output queue: small pieces of either kind share slices, so that memory is bounded") {
  BlockPool pool;
  OutputQueue queue;
  std::string expected;
  const SharedBuffer line = SharedBuffer::copy_of(std::string(50, 'l'));
  for (int i = 0; i < 1000; ++i) {
    queue.append_copy(bytes_of("[12:34:56]"), pool);
    queue.append(line, pool);
    expected += "[12:34:56]" + std::string(50, 'l');
  }
  std::array<Slice, slices_max> slices;
  CHECK(queue.gather(slices) <= 8 + 60'000 / BlockPool::block_bytes);
  CHECK(offered(queue) == expected);
  queue.clear(pool);
  for (int i = 0; i < 1000; ++i) queue.append(line, pool);
  CHECK(queue.gather(slices) <= 8 + 50'000 / BlockPool::block_bytes + 1);
  queue.clear(pool);
}

TEST_CASE("output queue: bytes that are offered stay where they are while more is queued") {
  BlockPool pool;
  OutputQueue queue;
  queue.append_copy(bytes_of("first"), pool);
  std::array<Slice, slices_max> slices;
  queue.gather(slices);
  const Slice first = slices[0];
  for (int i = 0; i < 1000; ++i) queue.append_copy(bytes_of("more and more"), pool);
  queue.append_copy(bytes_of(std::string(100'000, 'x')), pool);
  CHECK(text_of(first) == "first");
  queue.gather(slices);
  CHECK(slices[0].data() == first.data());
  queue.clear(pool);
}

TEST_CASE("output queue: one gather sees a bounded number of slices") {
  BlockPool pool;
  OutputQueue queue;
  const SharedBuffer shared = SharedBuffer::copy_of(std::string(1000, 'x'));
  for (int i = 0; i < 200; ++i) queue.append(shared, pool);
  CHECK(queue.bytes() == 200'000);
  CHECK(offered(queue).size() == slices_max * 1000);
  queue.consume(slices_max * 1000, pool);
  CHECK(queue.bytes() == 200'000 - slices_max * 1000);
  CHECK(offered(queue).size() == slices_max * 1000);
  queue.clear(pool);
}

TEST_CASE("output queue: shared bytes live as long as they are queued, and no longer") {
  BlockPool pool;
  OutputQueue queue;
  SharedBuffer shared = SharedBuffer::copy_of("kept alive by the queue");
  queue.append(shared, pool);
  shared = {};
  CHECK(offered(queue) == "kept alive by the queue");
  queue.consume(queue.bytes(), pool);
  // That the last reference is gone is the address sanitizer's to see, at the end.
}

TEST_CASE("output queue: random appends and consumes agree with a string") {
  BlockPool pool;
  Random random(test_seed());
  for (int queue_number = 0; queue_number < 20; ++queue_number) {
    OutputQueue queue;
    std::string expected;
    std::uint64_t position = 0;
    const Pattern pattern(static_cast<std::uint64_t>(queue_number));
    for (int step = 0; step < 3000; ++step) {
      const std::size_t size =
          random.one_in(20) ? random.below(3 * BlockPool::block_bytes) : random.below(100);
      const std::string text = pattern.text(position, size);
      switch (random.below(5)) {
        case 0:
        case 1:
          queue.append_copy(bytes_of(text), pool);
          expected += text;
          position += size;
          break;
        case 2:
          if (size == 0) break;
          queue.append(SharedBuffer::copy_of(text), pool);
          expected += text;
          position += size;
          break;
        default: {
          const std::string next = offered(queue);
          REQUIRE(expected.compare(0, next.size(), next) == 0);
          const std::size_t count = random.below(next.size() + 1);
          queue.consume(count, pool);
          expected.erase(0, count);
          break;
        }
      }
      REQUIRE(queue.bytes() == expected.size());
      REQUIRE(queue.empty() == expected.empty());
    }
    queue.clear(pool);
  }
}

TEST_CASE("block pool: blocks are used again, large ones are given back") {
  BlockPool pool;
  BlockPool::Block* const first = pool.take(10);
  CHECK(first->capacity == BlockPool::block_bytes);
  pool.give_back(first);
  BlockPool::Block* const again = pool.take(BlockPool::block_bytes);
  CHECK(again == first);
  BlockPool::Block* const large = pool.take(BlockPool::block_bytes + 1);
  CHECK(large->capacity >= BlockPool::block_bytes + 1);
  pool.give_back(large);
  pool.give_back(again);
  std::vector<BlockPool::Block*> many;
  for (int i = 0; i < 2000; ++i) many.push_back(pool.take(1));
  for (BlockPool::Block* const block : many) pool.give_back(block);
}
