// Echo as `tern echo` and `tern demo` serve it.
#pragma once

#include "tools/tern/echo/protocol.hpp"
#include "tools/tern/serve/serve.hpp"

namespace tern::tool {

class EchoApplication : public Application {
 public:
  std::unique_ptr<Protocol> protocol(std::size_t, Reactor&) override {
    return std::make_unique<Echo>();
  }
  std::unique_ptr<DatagramProtocol> datagram_protocol() override {
    return std::make_unique<DatagramEcho>();
  }
};

}  // namespace tern::tool
