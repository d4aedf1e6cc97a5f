#include "tests/support/world.hpp"

#include <utility>

#include "tests/support/case.hpp"

namespace tern::test {
namespace {

const World* current = nullptr;

}  // namespace

World::World(const Backend& backend, std::shared_ptr<const void> surroundings)
    : backend_(backend), surroundings_(std::move(surroundings)), previous_(current) {
  current = this;
}

World::~World() { current = previous_; }

const Backend& World::backend() {
  EXPECT_NOTE(current != nullptr, "a case outside any world");
  return current->backend_;
}

}  // namespace tern::test
