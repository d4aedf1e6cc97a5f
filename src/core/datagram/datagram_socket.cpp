#include "src/core/datagram/datagram_socket.hpp"

#include <algorithm>
#include <string>

#include "src/core/reactor/reactor_core.hpp"

namespace tern {
namespace {

[[noreturn]] void throw_open_error(const Endpoint& local, const Endpoint& remote,
                                   const std::error_code& error) {
  if (remote.family() == Family::none) {
    throw std::system_error(error, "bind udp://" + local.to_string());
  }
  throw std::system_error(error, "connect udp://" + remote.to_string());
}

}  // namespace

DatagramSocketImpl::DatagramSocketImpl(Reactor::Core& core, DatagramProtocol& protocol,
                                       Socket socket, std::error_code& error)
    : DatagramSocket(core, protocol), channel_(core.poller.attach(socket, this, error)) {
  core.datagram_sockets.push_back(this);
  if (error) {
    Poller::Sockets::close(socket);
    return;
  }
  core.poller.receive(channel_);
}

DatagramSocketImpl::~DatagramSocketImpl() { std::erase(core_->datagram_sockets, this); }

void DatagramSocketImpl::completed(const Completion& completion) {
  if (completion.operation == Operation::close) {
    protocol_->closed(*this);
    delete this;
    return;
  }
  if (completion.operation == Operation::send && !completion.error) sending_ = false;
  if (closing_) return;
  if (completion.error) return protocol_->failed(*this, completion.error);
  if (completion.operation == Operation::receive) {
    protocol_->received(*this, completion.datagrams);
  }
}

std::size_t DatagramSocketImpl::send_batch(std::span<const Datagram> datagrams) {
  std::size_t taken = 0;
  while (!closing_ && !sending_ && taken < datagrams.size()) {
    const auto batch = datagrams.subspan(taken, std::min(datagrams.size() - taken, datagrams_max));
    const std::size_t count = core_->poller.send_to(channel_, batch);
    taken += count;
    sending_ = count < batch.size();
  }
  dropped_ += datagrams.size() - taken;
  return taken;
}

void DatagramSocketImpl::set_paused(bool paused) {
  if (closing_ || paused == paused_) return;
  paused_ = paused;
  if (paused) {
    core_->poller.stop(channel_, Operation::receive);
  } else {
    core_->poller.receive(channel_);
  }
}

void DatagramSocketImpl::close() {
  if (closing_) return;
  closing_ = true;
  core_->poller.close(channel_);
}

Endpoint DatagramSocketImpl::local_endpoint() const {
  return closing_ ? Endpoint{} : Poller::Sockets::local(core_->poller.socket(channel_));
}

DatagramProtocol::~DatagramProtocol() = default;
void DatagramProtocol::failed(DatagramSocket&, const std::error_code&) {}
void DatagramProtocol::closed(DatagramSocket&) {}

DatagramSocket& DatagramSocket::open(Reactor& reactor, DatagramProtocol& protocol,
                                     const Endpoint& local, const Endpoint& remote,
                                     const SocketOptions& options) {
  const Socket socket = open_datagram(local, remote, options);
  std::error_code error;
  auto opened = std::make_unique<DatagramSocketImpl>(reactor.core(), protocol, socket, error);
  if (error) throw_open_error(local, remote, error);
  return *opened.release();  // dies with its last completion
}

Socket open_datagram(const Endpoint& local, const Endpoint& remote, const SocketOptions& options) {
  std::error_code error;
  const Socket socket = Poller::Sockets::datagram(local, remote, options, error);
  if (error) throw_open_error(local, remote, error);
  return socket;
}

namespace {
DatagramSocketImpl& impl(DatagramSocket& socket) {
  return static_cast<DatagramSocketImpl&>(socket);
}
}  // namespace

std::size_t DatagramSocket::send(std::span<const Datagram> datagrams) {
  return impl(*this).send_batch(datagrams);
}

std::size_t DatagramSocket::send(std::span<const std::byte> bytes, const Endpoint& peer) {
  const Datagram one{bytes, peer, false};
  return impl(*this).send_batch({&one, 1});
}

void DatagramSocket::pause() { impl(*this).set_paused(true); }
void DatagramSocket::resume() { impl(*this).set_paused(false); }
void DatagramSocket::close() { impl(*this).close(); }
Endpoint DatagramSocket::local() const {
  return static_cast<const DatagramSocketImpl&>(*this).local_endpoint();
}
Reactor& DatagramSocket::reactor() const { return core_->reactor; }

}  // namespace tern
