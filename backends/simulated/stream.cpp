#include "backends/simulated/stream.hpp"

#include <algorithm>

namespace tern::simulated {

void Stream::join(const std::shared_ptr<Stream>& left, const std::shared_ptr<Stream>& right) {
  const auto piped = [](const std::shared_ptr<Stream>& from, const std::shared_ptr<Stream>& to) {
    const Faults& faults = from->simulation.faults;
    const auto pipe = std::make_shared<Pipe>(
        from->simulation, from->options.send_buffer_bytes.value_or(faults.send_buffer_bytes),
        to->options.receive_buffer_bytes.value_or(faults.receive_window_bytes));
    pipe->writer = from;
    pipe->reader = to;
    from->out_ = pipe;
    to->in_ = pipe;
  };
  piped(left, right);
  if (left != right) piped(right, left);
}

bool Stream::is_readable() const {
  return is_joined() && (is_reset_ || in_->readable() > 0 || in_->is_at_end());
}

bool Stream::is_sendable() const { return is_joined() && (is_reset_ || out_->room() > 0); }

std::size_t Stream::send(std::span<const Slice> slices, std::size_t most, std::error_code& error) {
  if (is_reset_) {
    // The first to ask hears of the reset, unless the peer had ended before: then, and from then
    // on, there is only nobody to send to.
    const bool is_news = !reset_is_known_ && !in_->end_has_arrived();
    error = std::make_error_code(is_news ? std::errc::connection_reset : std::errc::broken_pipe);
    reset_is_known_ = true;
    return 0;
  }
  std::size_t left = std::min(most, out_->room());
  const std::size_t offered = left;
  for (const Slice slice : slices) {
    const std::size_t count = std::min(slice.size(), left);
    out_->take(slice.first(count));
    left -= count;
  }
  if (left < offered) out_->send_off();
  if (simulation.random.chance(simulation.faults.reset)) break_off();
  return offered - left;
}

std::size_t Stream::receive(std::span<std::byte> into, std::error_code& error) {
  if (is_reset_) {
    reset_is_known_ = true;
    error = std::make_error_code(std::errc::connection_reset);
    return 0;
  }
  return in_->read(into);
}

void Stream::shutdown_send() {
  if (is_joined()) out_->finish();
}

void Stream::close() {
  watcher = nullptr;
  if (!is_joined()) return;
  const bool was_reset = is_reset_;
  // Unread input says that the peer's bytes were lost, so the peer is told, as TCP does.
  const bool resets = resets_on_close || state == State::connecting || in_->readable() > 0;
  is_reset_ = true;
  in_->close_reader();
  if (was_reset) return;
  if (!resets) {
    out_->finish();
    return;
  }
  out_->discard();
  simulation.after(simulation.latency(), [to = out_->reader] {
    if (const auto stream = to.lock()) stream->reset_arrived();
  });
}

void Stream::break_off() {
  for (const std::weak_ptr<Stream>& end : {out_->reader, in_->reader}) {
    simulation.after(simulation.latency(), [end] {
      if (const auto stream = end.lock()) stream->reset_arrived();
    });
  }
}

void Stream::reset_arrived() {
  if (is_reset_ || !is_joined()) return;
  is_reset_ = true;
  in_->discard();
  out_->discard();
  changed();
}

void Listener::hold() {
  is_held = true;
  simulation.after(simulation.faults.accept_retry, [self = weak_from_this()] {
    if (const auto listener = self.lock()) listener->release();
  });
}

void Listener::release() {
  is_held = false;
  changed();
}

void Listener::close() {
  watcher = nullptr;
  for (const auto& stream : queue) {
    stream->resets_on_close = true;
    stream->close();
  }
  queue.clear();
}

}  // namespace tern::simulated
