// DatagramSocketImpl: a datagram socket as the core sees it. Not installed.
#pragma once

#include "backends/poller.hpp"
#include "tern/datagram_socket.hpp"

namespace tern {

class DatagramSocketImpl final : public DatagramSocket, public Owner {
 public:
  // Attaches; on failure the socket is closed and `error` set.
  DatagramSocketImpl(Reactor::Core& core, DatagramProtocol& protocol, Socket socket,
                     std::error_code& error);
  virtual ~DatagramSocketImpl();

  std::size_t send_batch(std::span<const Datagram> datagrams);
  void set_paused(bool paused);
  void close();
  Endpoint local_endpoint() const;

 private:
  void completed(const Completion& completion) override;

  Channel channel_;
  bool closing_ = false;
  bool paused_ = false;
  bool sending_ = false;  // the kernel's send buffer is full; its `send` completion is to come
};

// A bound or connected datagram socket. Throws std::system_error with a message that names the
// endpoint.
Socket open_datagram(const Endpoint& local, const Endpoint& remote, const SocketOptions& options);

}  // namespace tern
