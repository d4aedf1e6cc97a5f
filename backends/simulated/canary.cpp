#include "backends/simulated/canary.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace tern::canary {

namespace {

thread_local Rule rule_to_break = Rule::none;

// What an error is called that nobody has mapped.
class UnmappedCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "unmapped"; }
  std::string message(int value) const override { return "system error " + std::to_string(value); }
};

std::error_code unmapped(const std::error_code& error) {
  static const UnmappedCategory category;
  return {error.value(), category};
}

}  // namespace

void break_rule(Rule rule) { rule_to_break = rule; }

Poller::Poller(const PollerOptions& options) : poller_(options), broken_(rule_to_break) {}

Channel Poller::attach(Socket socket, Owner* owner, std::error_code& error) {
  disturb();
  const Channel channel = poller_.attach(socket, owner, error);
  if (channel.valid()) owners_.emplace_back(channel, owner);
  return channel;
}

void Poller::accept(Channel channel) {
  disturb();
  poller_.accept(channel);
}

void Poller::receive(Channel channel) {
  disturb();
  poller_.receive(channel);
  call_back(channel, Operation::receive);
}

void Poller::stop(Channel channel, Operation operation) {
  disturb();
  poller_.stop(channel, operation);
}

void Poller::connect(Channel channel, const Endpoint& endpoint) {
  disturb();
  poller_.connect(channel, endpoint);
}

std::size_t Poller::send(Channel channel, std::span<const Slice> slices) {
  disturb();
  std::size_t offered = 0;
  for (const Slice slice : slices) offered += slice.size();
  const std::size_t taken = poller_.send(channel, slices);
  call_back(channel, Operation::send);
  // Two short, at least: the completion that follows is still one of a partial send.
  const bool lies = broken_ == Rule::slices_are_the_callers && taken > 0 && taken + 1 < offered;
  return lies ? taken + 1 : taken;
}

std::size_t Poller::send_to(Channel channel, std::span<const Datagram> datagrams) {
  disturb();
  return poller_.send_to(channel, datagrams);
}

void Poller::shutdown_send(Channel channel) {
  disturb();
  poller_.shutdown_send(channel);
}

void Poller::close(Channel channel) {
  disturb();
  poller_.close(channel);
}

void Poller::wait(Duration limit) {
  if (broken_ == Rule::nothing_else_promised && limit != forever) {
    limit = std::chrono::floor<std::chrono::milliseconds>(limit);
  }
  extra_waits_ = 0;
  poller_.wait(limit);
}

bool Poller::next(Completion& completion) {
  if (!extra_.empty()) {
    completion = extra_.front();
    extra_.pop_front();
    return true;
  }
  while (!poller_.next(completion)) {
    // One more round for those that have more, in what the caller takes for the same turn.
    if (broken_ != Rule::turns_are_fair || ++extra_waits_ > 4) return false;
    poller_.wait(Duration::zero());
  }
  distort(completion);
  return true;
}

void Poller::distort(Completion& completion) {
  const bool is_receive = completion.operation == Operation::receive;
  const bool is_end =
      is_receive && !completion.error && completion.bytes.empty() && completion.datagrams.empty();
  switch (broken_) {
    case Rule::bytes_are_the_pollers:
      if (!is_receive) return;
      bytes_.assign(completion.bytes.begin(), completion.bytes.end());
      completion.bytes = bytes_;
      return;
    case Rule::empty_is_the_end:
      if (is_end) extra_.push_back(completion);
      return;
    case Rule::close_is_last:
      if (completion.operation != Operation::close) return;
      extra_.push_back(completion);
      extra_.back().operation = Operation::send;
      return;
    case Rule::vanished_peer_is_a_value:
      if (is_receive && completion.error == std::errc::connection_reset) completion.error.clear();
      return;
    case Rule::accept_survives:
      if (completion.operation == Operation::accept && completion.error) {
        poller_.stop(completion.channel, Operation::accept);
      }
      return;
    case Rule::one_error_vocabulary:
      if (completion.error) completion.error = unmapped(completion.error);
      return;
    case Rule::none:
    case Rule::slices_are_the_callers:
    case Rule::no_call_calls_back:
    case Rule::turns_are_fair:
    case Rule::nothing_else_promised:
      return;
  }
}

// The bytes in hand are overwritten, as they are where calls share the receive buffer.
void Poller::disturb() {
  if (broken_ == Rule::bytes_are_the_pollers) std::fill(bytes_.begin(), bytes_.end(), std::byte{});
}

void Poller::call_back(Channel channel, Operation operation) {
  if (broken_ != Rule::no_call_calls_back) return;
  const auto found = std::find_if(owners_.begin(), owners_.end(),
                                  [&](const auto& entry) { return entry.first == channel; });
  Completion completion;
  completion.operation = operation;
  completion.owner = found->second;
  completion.channel = channel;
  completion.owner->completed(completion);
}

}  // namespace tern::canary
