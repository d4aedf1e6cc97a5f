// Canary: the simulated poller with one rule of the contract broken on purpose. The contract suite
// must catch it, or the suite does not test what it says.
//
//   break_rule(Rule::close_is_last);  // for the pollers that this thread makes from now on
//   canary::Poller poller{PollerOptions{}};
//   break_rule(Rule::none);           // whole again
//
//   The breakage is that of a plausible backend, not the worst one can think of:
//
//   bytes_are_the_pollers     the one receive buffer is used again by whatever call comes next
//   slices_are_the_callers    a partial send says one byte too many: that byte is lost
//   empty_is_the_end          the end of a stream is delivered twice
//   close_is_last             a send completion comes after the close completion
//   no_call_calls_back        receive() and send() tell the owner at once that they were heard
//   turns_are_fair            a channel with more input is served again in the same turn
//   vanished_peer_is_a_value  a reset looks like the orderly end of the stream
//   accept_survives           the first failed accept silently ends the standing order
//   nothing_else_promised     limits are cut to whole milliseconds, so the last one is a spin. The
//                             rest of this rule is a list of freedoms, which nobody can break.
//   one_error_vocabulary      errors keep the numbers of their system and mean nothing portable
#pragma once

#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/simulated/simulated.hpp"

namespace tern::canary {

// The rules of backends/poller.hpp, in their order.
enum class Rule : std::uint8_t {
  none,
  bytes_are_the_pollers,
  slices_are_the_callers,
  empty_is_the_end,
  close_is_last,
  no_call_calls_back,
  turns_are_fair,
  vanished_peer_is_a_value,
  accept_survives,
  nothing_else_promised,
  one_error_vocabulary,
};

// THREAD  each has its own.
void break_rule(Rule rule);

class Poller {
 public:
  static constexpr std::string_view name = "canary";
  using Sockets = simulated::Sockets;

  explicit Poller(const PollerOptions& options);

  Channel attach(Socket socket, Owner* owner, std::error_code& error);
  void accept(Channel channel);
  void receive(Channel channel);
  void stop(Channel channel, Operation operation);
  void connect(Channel channel, const Endpoint& endpoint);
  std::size_t send(Channel channel, std::span<const Slice> slices);
  std::size_t send_to(Channel channel, std::span<const Datagram> datagrams);
  void shutdown_send(Channel channel);
  void close(Channel channel);

  void wait(Duration limit);
  bool next(Completion& completion);
  void wake() { poller_.wake(); }

  Time now() const { return poller_.now(); }
  void refresh() { poller_.refresh(); }
  bool has_waiting(Channel channel) const { return poller_.has_waiting(channel); }
  Socket socket(Channel channel) const { return poller_.socket(channel); }
  bool sends_later() const { return poller_.sends_later(); }
  bool loans_receive_buffer() const { return poller_.loans_receive_buffer(); }
  const PollerCounters& counters() const { return poller_.counters(); }

 private:
  void disturb();
  void call_back(Channel channel, Operation operation);
  void distort(Completion& completion);

  simulated::Poller poller_;
  Rule broken_;
  std::vector<std::byte> bytes_;  // of the receive in hand
  std::deque<Completion> extra_;  // delivered after the one in hand
  unsigned extra_waits_ = 0;      // of this turn
  std::vector<std::pair<Channel, Owner*>> owners_;
};

static_assert(is_poller<Poller>);

}  // namespace tern::canary
