// The smallest user of the installed library: an echo server and its client in one program.
#include <cstddef>
#include <span>
#include <system_error>
#include <tern/tern.hpp>

struct Echo : tern::Protocol {
  void received(tern::Connection& peer, std::span<const std::byte> bytes) override {
    peer.send(bytes);
  }
};

struct Client : tern::Protocol {
  void opened(tern::Connection& peer) override { peer.send("hello"); }
  void received(tern::Connection& peer, std::span<const std::byte> bytes) override {
    answered += bytes.size();
    if (answered == 5) peer.finish();
  }
  void closed(tern::Connection& peer, tern::CloseReason, const std::error_code&) override {
    peer.reactor().stop();
  }
  std::size_t answered = 0;
};

int main() {
  if (tern::version_text() != TERN_VERSION_STRING) return 2;
  tern::Reactor reactor;
  const tern::Limits limits;
  Echo echo;
  Client client;
  tern::Listener listener(reactor, *tern::Endpoint::from_address("127.0.0.1", 0), echo, limits);
  tern::Connector(reactor, client, limits).connect(listener.local());
  reactor.run();
  return client.answered == 5 ? 0 : 1;
}
