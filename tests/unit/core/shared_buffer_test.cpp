// Shared buffers: one copy of the bytes, freed with the last reference.
#include "tern/shared_buffer.hpp"

#include <doctest/doctest.h>

#include <new>
#include <string>
#include <thread>
#include <vector>

using tern::SharedBuffer;

namespace {

std::string text_of(const SharedBuffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.bytes().data()), buffer.size()};
}

}  // namespace

TEST_CASE("shared buffer: a copy of the bytes, shared by copies of the value") {
  std::string text = "format once, send often";
  const SharedBuffer first = SharedBuffer::copy_of(text);
  text = "something else";
  SharedBuffer second = first;
  CHECK(text_of(first) == "format once, send often");
  CHECK(second.bytes().data() == first.bytes().data());
  CHECK(second.size() == first.size());

  SharedBuffer third = std::move(second);
  CHECK_FALSE(second);  // NOLINT: what is left of a moved-from buffer is nothing
  CHECK(third.bytes().data() == first.bytes().data());
  third = SharedBuffer::copy_of("other");
  CHECK(text_of(third) == "other");
  const SharedBuffer& itself = third;
  third = itself;
  CHECK(text_of(third) == "other");
}

TEST_CASE("shared buffer: nothing and empty") {
  const SharedBuffer nothing;
  CHECK_FALSE(nothing);
  CHECK(nothing.size() == 0);
  CHECK(nothing.bytes().empty());
  const SharedBuffer empty = SharedBuffer::copy_of("");
  CHECK(empty);
  CHECK(empty.size() == 0);
  CHECK(SharedBuffer(nothing).size() == 0);
}

TEST_CASE("shared buffer: more than it can hold is refused like memory that is not there") {
  // Never read: only its size is looked at.
  static const char only = 'x';
  const std::string_view huge(&only, std::size_t{1} << 32);
  CHECK_THROWS_AS(SharedBuffer::copy_of(huge), std::bad_alloc);
}

TEST_CASE("shared buffer: copies are made and dropped on many threads") {
  const SharedBuffer buffer = SharedBuffer::copy_of(std::string(1000, 'x'));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([copy = buffer] {
      for (int i = 0; i < 20'000; ++i) {
        SharedBuffer another = copy;
        SharedBuffer third = another;
        another = {};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(buffer.size() == 1000);
}
