#include "tern/listener.hpp"

#include "src/core/server/acceptor.hpp"

namespace tern {

Listener::Listener(Reactor& reactor, const Endpoint& endpoint, Protocol& protocol,
                   const Limits& limits, const ListenerOptions& options)
    : acceptor_(nullptr) {
  acceptor_ = new Acceptor(
      reactor.core(), endpoint, options,
      [this, &protocol, &limits](Socket socket) { acceptor_->serve(socket, protocol, limits); });
}

Listener::~Listener() { close(); }

Endpoint Listener::local() const { return acceptor_ == nullptr ? Endpoint{} : acceptor_->local(); }

void Listener::close() {
  if (acceptor_ == nullptr) return;
  acceptor_->close();
  acceptor_ = nullptr;
}

}  // namespace tern
