#include "src/core/server/acceptor.hpp"

#include <string>
#include <utility>

#include "backends/common/error_class.hpp"
#include "backends/common/memory.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {
namespace {

[[noreturn]] void throw_listen_error(const Endpoint& endpoint, const std::error_code& error) {
  const std::string scheme = endpoint.family() == Family::local ? "unix:" : "tcp://";
  throw std::system_error(error, "listen " + scheme + endpoint.to_string());
}

}  // namespace

Acceptor::Acceptor(Reactor::Core& core, const Endpoint& endpoint, const ListenerOptions& options,
                   Accepted accepted)
    : core_(&core), options_(options), accepted_(std::move(accepted)) {
  const Socket socket = open_listener(endpoint, options.listen);
  std::error_code error;
  local_ = Poller::Sockets::local(socket);
  channel_ = core.poller.attach(socket, this, error);
  if (error) {
    Poller::Sockets::close(socket);
    throw_listen_error(endpoint, error);
  }
  core.poller.accept(channel_);
  core.acceptors.push_back(this);
}

Acceptor::~Acceptor() { std::erase(core_->acceptors, this); }

void Acceptor::close() {
  if (closed_) return;
  closed_ = true;
  cancel();
  core_->poller.close(channel_);
  // While a reactor is destroyed, what the callback refers to may be destroyed already.
  const auto drain_done = std::exchange(drain_done_, nullptr);
  if (drain_done && !core_->ending) drain_done();
}

void Acceptor::drain(std::function<void()> done) {
  if (closed_) return;
  const bool has_room = !armed();
  drain_done_ = std::move(done);
  if (!has_room) return close();
  arm_after(core_->reactor, Duration::zero());
}

void Acceptor::completed(const Completion& completion) {
  if (completion.operation == Operation::close) {
    channel_ = {};
    Poller::Sockets::forget(local_);
    return die_if_unused();
  }
  if (closed_) {
    if (completion.accepted.valid() && !completion.error) {
      Poller::Sockets::close(completion.accepted);
    }
    return;
  }
  if (completion.error) return on_accept_error(completion.error);
  if (drain_done_) ++taken_in_;
  accepted_(completion.accepted);
}

void Acceptor::on_accept_error(const std::error_code& error) {
  // Anything else belongs to the one client that vanished before it was accepted.
  if (!is_lack_of_room(error)) return;
  ++core_->counters.refused;
  if (drain_done_) return close();
  if (armed()) return;
  // The waiting client stays in the backlog; asking again at once would only spin.
  core_->poller.stop(channel_, Operation::accept);
  arm_after(core_->reactor, options_.retry_delay);
  if (options_.accept_failed) options_.accept_failed(error);
}

void Acceptor::fire() {
  if (!drain_done_) return core_->poller.accept(channel_);
  // A busy turn may bring none of those who wait, so the kernel is asked.
  const bool is_empty = !core_->poller.has_waiting(channel_);
  if (is_empty || taken_in_ > options_.listen.backlog) return close();
  arm_after(core_->reactor, Duration::zero());
}

void Acceptor::serve(Socket socket, Protocol& protocol, const Limits& limits) {
  if (connections_ >= options_.connections_max) return refuse_socket(*core_, socket);
  ++connections_;
  if (!serve_socket(*core_, socket, protocol, limits, this, options_.tls)) --connections_;
}

void Acceptor::connection_gone() {
  --connections_;
  die_if_unused();
}

void Acceptor::die_if_unused() {
  if (closed_ && !channel_.valid() && connections_ == 0) delete this;
}

Socket open_listener(const Endpoint& endpoint, const ListenOptions& options) {
  std::error_code error;
  const Socket socket = Poller::Sockets::listen(endpoint, options, error);
  if (error) throw_listen_error(endpoint, error);
  return socket;
}

void refuse_socket(Reactor::Core& core, Socket socket) {
  ++core.counters.refused;
  Poller::Sockets::reset_on_close(socket);
  Poller::Sockets::close(socket);
}

bool serve_socket(Reactor::Core& core, Socket socket, Protocol& protocol, const Limits& limits,
                  ConnectionSource* source, const std::shared_ptr<TlsContext>& tls) {
  const auto state = tls == nullptr ? Connection::State::open : Connection::State::handshaking;
  ConnectionImpl* connection = nullptr;
  const auto make = [&] {
    connection = &core.connections.make(core, protocol, limits, state, source);
    if (tls != nullptr) connection->use_tls(tls, {});
  };
  std::error_code error;
  if (!has_memory_for(make, error) || !connection->accept(socket, error)) {
    if (connection != nullptr) core.connections.destroy(*connection);
    refuse_socket(core, socket);
    return false;
  }
  ++core.counters.accepted;
  connection->open();
  return true;
}

}  // namespace tern
