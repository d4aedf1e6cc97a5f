#include "tern/listener.hpp"

#include <string>

#include "src/acceptor.hpp"
#include "src/reactor_core.hpp"

namespace tern {
namespace {

[[noreturn]] void throw_listen_error(const Endpoint& endpoint, const std::error_code& error) {
  const std::string scheme = endpoint.family() == Family::local ? "unix:" : "tcp://";
  throw std::system_error(error, "listen " + scheme + endpoint.to_string());
}

bool is_lack_of_room(const std::error_code& error) {
  return error == std::errc::too_many_files_open ||
         error == std::errc::too_many_files_open_in_system || error == std::errc::no_buffer_space ||
         error == std::errc::not_enough_memory;
}

}  // namespace

Acceptor::Acceptor(Reactor::Core& core, const Endpoint& endpoint, const ListenerOptions& options,
                   Accepted accepted)
    : core_(&core), options_(options), accepted_(std::move(accepted)) {
  std::error_code error;
  const Socket socket = Poller::Sockets::listen(endpoint, options.listen, error);
  if (error) throw_listen_error(endpoint, error);
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
}

void Acceptor::completed(const Completion& completion) {
  if (completion.operation == Operation::close) {
    channel_ = {};
    return die_if_unused();
  }
  if (closed_) {
    if (completion.accepted.valid() && !completion.error) {
      Poller::Sockets::close(completion.accepted);
    }
    return;
  }
  if (completion.error) return on_accept_error(completion.error);
  accepted_(completion.accepted);
}

void Acceptor::on_accept_error(const std::error_code& error) {
  // Anything else belongs to the one client that vanished before it was accepted.
  if (!is_lack_of_room(error)) return;
  ++core_->counters.refused;
  if (armed()) return;
  // The waiting client stays in the backlog; asking again at once would only spin.
  core_->poller.stop(channel_, Operation::accept);
  arm_after(core_->reactor, options_.retry_delay);
  if (options_.accept_failed) options_.accept_failed(error);
}

void Acceptor::fire() { core_->poller.accept(channel_); }

void Acceptor::serve(Socket socket, Protocol& protocol, const Limits& limits) {
  if (connections_ >= options_.connections_max) return refuse_socket(*core_, socket);
  ++connections_;
  if (!serve_socket(*core_, socket, protocol, limits, this)) --connections_;
}

void Acceptor::connection_gone() {
  --connections_;
  die_if_unused();
}

void Acceptor::die_if_unused() {
  if (closed_ && !channel_.valid() && connections_ == 0) delete this;
}

void refuse_socket(Reactor::Core& core, Socket socket) {
  ++core.counters.refused;
  Poller::Sockets::reset_on_close(socket);
  Poller::Sockets::close(socket);
}

bool serve_socket(Reactor::Core& core, Socket socket, Protocol& protocol, const Limits& limits,
                  ConnectionSource* source) {
  ConnectionImpl& connection =
      core.connections.make(core, protocol, limits, Connection::State::open, source);
  std::error_code error;
  if (!connection.accept(socket, error)) {
    core.connections.destroy(connection);
    ++core.counters.refused;
    return false;
  }
  ++core.counters.accepted;
  connection.open();
  return true;
}

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
