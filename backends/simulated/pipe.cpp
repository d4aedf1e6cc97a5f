#include "backends/simulated/pipe.hpp"

#include <algorithm>

#include "backends/simulated/stream.hpp"

namespace tern::simulated {

std::size_t Pipe::room() const {
  if (is_finished_ || is_discarded_) return 0;
  const auto used = static_cast<std::size_t>(written_ - arrived_);
  return used < buffer_bytes_ ? buffer_bytes_ - used : 0;
}

void Pipe::take(Slice bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  written_ += bytes.size();
}

void Pipe::send_off() {
  last_arrival_ = std::max(last_arrival_, simulation_.now() + simulation_.latency());
  simulation_.at(last_arrival_, [self = shared_from_this(), position = written_,
                                 end = is_finished_] { self->arrive(position, end); });
}

void Pipe::finish() {
  if (is_finished_ || is_discarded_) return;
  is_finished_ = true;
  send_off();
}

void Pipe::discard() {
  is_discarded_ = true;
  loses_bytes_ = read_ < written_;
  bytes_.clear();
  read_ = arrived_ = due_ = written_;
}

std::size_t Pipe::read(std::span<std::byte> into) {
  const std::size_t count = std::min(into.size(), readable());
  const auto last = bytes_.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(bytes_.begin(), last, into.begin());
  bytes_.erase(bytes_.begin(), last);
  read_ += count;
  if (count > 0 && due_ > arrived_ && !window_update_is_due_) {
    // The sender hears that the window is open again one way later.
    window_update_is_due_ = true;
    simulation_.after(simulation_.latency(), [self = shared_from_this()] {
      self->window_update_is_due_ = false;
      self->settle();
    });
  }
  return count;
}

void Pipe::arrive(std::uint64_t position, bool with_end) {
  if (is_discarded_) return;
  due_ = std::max(due_, position);
  end_is_due_ = end_is_due_ || with_end;
  settle();
}

void Pipe::settle() {
  if (is_discarded_) return;
  if (reader_is_closed_) {
    if (due_ == arrived_) return;
    discard();
    simulation_.after(simulation_.latency(), [to = writer] {
      if (const auto stream = to.lock()) stream->reset_arrived();
    });
    return;
  }
  arrived_ = std::min(due_, read_ + window_bytes_);
  if (const auto stream = reader.lock()) stream->changed();
  if (const auto stream = writer.lock()) stream->changed();
}

}  // namespace tern::simulated
