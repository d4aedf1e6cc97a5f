// backend_of: puts a backend's Poller behind AnyPoller. For the few sources that know backends.
#pragma once

#include "tests/support/any_poller.hpp"

namespace tern::test {

template <is_poller P>
class PollerOf final : public AnyPoller {
 public:
  explicit PollerOf(const PollerOptions& options) : poller_(options) {}

  Channel attach(Socket socket, Owner* owner, std::error_code& error) override {
    return poller_.attach(socket, owner, error);
  }
  void accept(Channel channel) override { poller_.accept(channel); }
  void receive(Channel channel) override { poller_.receive(channel); }
  void stop(Channel channel, Operation operation) override { poller_.stop(channel, operation); }
  void connect(Channel channel, const Endpoint& remote) override {
    poller_.connect(channel, remote);
  }
  std::size_t send(Channel channel, std::span<const Slice> slices) override {
    return poller_.send(channel, slices);
  }
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams) override {
    return poller_.send_to(channel, datagrams);
  }
  void shutdown_send(Channel channel) override { poller_.shutdown_send(channel); }
  void close(Channel channel) override { poller_.close(channel); }
  void wait(Duration limit) override { poller_.wait(limit); }
  bool next(Completion& completion) override { return poller_.next(completion); }
  void wake() override { poller_.wake(); }
  Time now() const override { return poller_.now(); }
  void refresh() override { poller_.refresh(); }
  bool has_waiting(Channel channel) const override { return poller_.has_waiting(channel); }
  Socket socket(Channel channel) const override { return poller_.socket(channel); }
  bool sends_later() const override { return poller_.sends_later(); }
  bool loans_receive_buffer() const override { return poller_.loans_receive_buffer(); }
  const PollerCounters& counters() const override { return poller_.counters(); }

 private:
  P poller_;
};

template <is_poller P>
const Backend& backend_of() {
  using Sockets = typename P::Sockets;
  static constexpr Backend backend = {
      .name = P::name,
      .make_poller = [](const PollerOptions& options) -> std::unique_ptr<AnyPoller> {
        return std::make_unique<PollerOf<P>>(options);
      },
      .sockets = {Sockets::listen, Sockets::stream, Sockets::datagram, Sockets::local,
                  Sockets::peer, Sockets::reset_on_close, Sockets::close, Sockets::resolve},
  };
  return backend;
}

}  // namespace tern::test
