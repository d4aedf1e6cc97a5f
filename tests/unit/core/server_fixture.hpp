// What the tests of servers serve.
#pragma once

#include <memory>

#include "tern/reactor.hpp"
#include "tools/tern/echo/protocol.hpp"

namespace tern::test {

inline std::unique_ptr<Protocol> make_echo(Reactor&) { return std::make_unique<tool::Echo>(); }

}  // namespace tern::test
