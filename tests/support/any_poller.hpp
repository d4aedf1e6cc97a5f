// AnyPoller: the contract of backends/poller.hpp behind virtual calls, and SocketCalls, the set-up
// calls beside it. A case is compiled once against these two and runs on every backend; see
// backend_of.hpp for how a backend gets behind them.
//
//   Each call is the backend's of the same name, and nothing else.
#pragma once

#include <memory>
#include <string_view>

#include "backends/poller.hpp"

namespace tern::test {

class AnyPoller {
 public:
  AnyPoller() = default;
  virtual ~AnyPoller() = default;
  AnyPoller(const AnyPoller&) = delete;
  AnyPoller& operator=(const AnyPoller&) = delete;

  virtual Channel attach(Socket socket, Owner* owner, std::error_code& error) = 0;
  virtual void accept(Channel channel) = 0;
  virtual void receive(Channel channel) = 0;
  virtual void stop(Channel channel, Operation operation) = 0;
  virtual void connect(Channel channel, const Endpoint& remote) = 0;
  virtual std::size_t send(Channel channel, std::span<const Slice> slices) = 0;
  virtual std::size_t send_to(Channel channel, std::span<const Datagram> datagrams) = 0;
  virtual void shutdown_send(Channel channel) = 0;
  virtual void close(Channel channel) = 0;
  virtual void wait(Duration limit) = 0;
  virtual bool next(Completion& completion) = 0;
  virtual void wake() = 0;
  virtual Time now() const = 0;
  virtual void refresh() = 0;
  virtual bool has_waiting(Channel channel) const = 0;
  virtual Socket socket(Channel channel) const = 0;
  virtual bool sends_later() const = 0;
  virtual bool loans_receive_buffer() const = 0;
  virtual const PollerCounters& counters() const = 0;
};

struct SocketCalls {
  Socket (*listen)(const Endpoint& endpoint, const ListenOptions& options, std::error_code& error);
  Socket (*stream)(Family family, const Endpoint& source, const SocketOptions& options,
                   std::error_code& error);
  Socket (*datagram)(const Endpoint& local, const Endpoint& remote, const SocketOptions& options,
                     std::error_code& error);
  Endpoint (*local)(Socket socket);
  Endpoint (*peer)(Socket socket);
  void (*reset_on_close)(Socket socket);
  void (*close)(Socket socket);
  std::vector<Endpoint> (*resolve)(std::string_view host, std::uint16_t port,
                                   std::error_code& error);
};

// What a case knows of the backend under it.
struct Backend {
  std::string_view name;
  std::unique_ptr<AnyPoller> (*make_poller)(const PollerOptions& options);
  SocketCalls sockets;
};

}  // namespace tern::test
