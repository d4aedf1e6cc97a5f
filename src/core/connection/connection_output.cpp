// What a connection has queued: how it gets there, within which limits, and how it leaves.
#include <algorithm>
#include <array>

#include "src/core/connection/connection.hpp"
#include "src/core/connection/tls_session.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {

[[gnu::noinline]] void ConnectionImpl::queue_copy(Slice bytes) {
  if (state_ != State::open || has(flag_broken) || bytes.empty()) return;
  if (may_reply_with(bytes.size())) return core_->reply.copy(bytes);
  if (!core_->reply.of(*this).empty()) [[unlikely]]
    keep_reply();
  if (!make_room(bytes.size())) return;
  append([&](OutputQueue& output) { output.append_copy(bytes, core_->blocks); });
  queued_more();
}

// Whether a copy will do for a reply that goes past the queue. It will not
// where the kernel reads slices later, since the next reply may have replaced the copy by then; a
// TLS filter reads at once. Nor when a watermark or a limit is passed: the queue sees to these.
bool ConnectionImpl::may_reply_with(std::size_t bytes) const {
  if (!core_->reply.may_answer(*this) || bytes > Reply::copied_bytes_max) return false;
  if (tls_ == nullptr && core_->poller.sends_later()) return false;
  return bytes_queued() + bytes <= std::min(limits_->output_high_bytes, limits_->output_bytes_max);
}

void ConnectionImpl::queue(const SharedBuffer& buffer) {
  if (state_ != State::open || has(flag_broken) || buffer.size() == 0) return;
  if (!core_->reply.of(*this).empty()) [[unlikely]]
    keep_reply();
  if (!make_room(buffer.size())) return;
  append([&](OutputQueue& output) { output.append(buffer, core_->blocks); });
  queued_more();
}

// Not all of it was taken, or it was the last that this connection had to say.
[[gnu::noinline]] void ConnectionImpl::reply_left(std::size_t taken) {
  const Slice rest = core_->reply.take().subspan(taken);
  if (rest.empty()) return on_output_flushed();
  set(flag_sending);
  if (!make_room(rest.size())) return;
  if (core_->poller.loans_receive_buffer()) {
    lent_bytes_ = static_cast<std::uint32_t>(rest.size());
  } else {
    queue_rest(rest);
  }
  pause_when_full();
}

void ConnectionImpl::queue_rest(Slice bytes) {
  append([&](OutputQueue& output) { output.append_copy(bytes, core_->blocks); });
}

// Something else is queued behind a reply that has not left: it goes to the queue, to keep order.
// It stays the reply until it is there: there may be no memory for it.
void ConnectionImpl::keep_reply() {
  if (!make_room(0)) return;
  queue_rest(core_->reply.of(*this));
  (void)core_->reply.take();
  queued_more();
}

// Whoever catches a std::bad_alloc of send() finds the connection as it was.
template <class Append>
void ConnectionImpl::append(const Append& append_to) {
  core_->reply.decline(*this);  // it would overtake the queue
  if (output_ == nullptr) output_ = core_->take_queue();
  try {
    append_to(*output_);
  } catch (...) {
    if (output_->empty()) drop_queue(output_);
    throw;
  }
}

// What the kernel did not take goes before what was queued meanwhile.
void ConnectionImpl::on_reply_sent(const Completion& completion) {
  const bool is_all = completion.count == lent_bytes_;
  lent_bytes_ = 0;
  if (is_all && output_ == nullptr && state_ == State::open && !has(flag_output_full)) [[likely]]
    return;
  if (!is_all) {
    append([&](OutputQueue& output) { output.prepend_copy(completion.bytes, core_->blocks); });
  }
  send_queued();
}

// For bytes that are to wait; what TLS has made of them may be longer by `overhead`.
bool ConnectionImpl::make_room(std::size_t bytes, std::size_t overhead) {
  if (is_ending()) return false;
  // Not limit + overhead: the limit may be none, which is the largest number there is.
  const std::size_t wanted = bytes_queued() + bytes;
  if (wanted - std::min(wanted, overhead) <= limits_->output_bytes_max) return true;
  terminate(CloseReason::output_limit, {}, true);
  return false;
}

void ConnectionImpl::queued_more() {
  pause_when_full();
  if (has(flag_dirty | flag_sending)) return;
  set(flag_dirty);
  core_->mark_dirty(*this);
}

void ConnectionImpl::flush() {
  clear(flag_dirty);
  if (!is_ending() && !has(flag_sending)) send_queued();
}

// REQUIRES no send is unfinished. Ends with an empty queue, or with an unfinished send.
void ConnectionImpl::send_queued() {
  if (tls_ == nullptr) {
    send_queue(output_);
  } else {
    tls_->send_queued();
    if (is_ending()) return;
  }
  pause_when_full();
  resume_when_drained();
  if (state_ == State::draining && handed_over()) on_output_flushed();
}

void ConnectionImpl::send_queue(OutputQueue*& queue) {
  if (queue == nullptr) return;
  while (!queue->empty()) {
    std::array<Slice, slices_max>& slices = core_->slices;
    const std::size_t count = queue->gather(slices);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) offered += slices[i].size();
    const std::size_t taken = core_->poller.send(channel_, {slices.data(), count});
    if (taken > 0) {
      queue->consume(taken, core_->blocks);
      last_activity_ = core_->poller.now();
    }
    if (taken < offered) {
      set(flag_sending);
      return;
    }
  }
  drop_queue(queue);
}

// The queue whose bytes the kernel is given.
OutputQueue*& ConnectionImpl::offered() { return tls_ == nullptr ? output_ : tls_->records; }

void ConnectionImpl::drop_queue(OutputQueue*& queue) {
  if (queue != nullptr) core_->give_back_queue(std::exchange(queue, nullptr));
}

void ConnectionImpl::drop_output() {
  if (!has(flag_shut_down)) lent_bytes_ = 0;
  drop_queue(output_);
  if (tls_ != nullptr) drop_queue(tls_->records);
}

bool ConnectionImpl::handed_over() const {
  return output_ == nullptr && lent_bytes() == 0 && (tls_ == nullptr || tls_->records == nullptr);
}

std::size_t ConnectionImpl::bytes_queued() const {
  std::size_t queued = lent_bytes() + core_->reply.of(*this).size();
  if (output_ != nullptr) queued += output_->bytes();
  if (tls_ != nullptr && tls_->records != nullptr) queued += tls_->records->bytes();
  return queued;
}

void ConnectionImpl::pause_when_full() {
  if (is_ending() || has(flag_output_full) || bytes_queued() <= limits_->output_high_bytes) return;
  set(flag_output_full);
  ++core_->counters.receive_pauses;
  update_receiving();
}

// Only after a send, never inside a call of the protocol's: drained() must not nest.
void ConnectionImpl::resume_when_drained() {
  if (!has(flag_output_full) || bytes_queued() > limits_->output_low_bytes) return;
  clear(flag_output_full);
  update_receiving();
  if (state_ == State::open) protocol_->drained(*this);
}

void ConnectionImpl::shut_down() {
  set(flag_shut_down);
  linger_bytes_left_ =
      static_cast<std::uint32_t>(std::min<std::size_t>(limits_->linger_bytes_max, UINT32_MAX));
  core_->poller.shutdown_send(channel_);
}

// All that was queued is the kernel's, and no more will be queued.
void ConnectionImpl::on_output_flushed() {
  if (is_ending() || has(flag_sending)) return;
  if (tls_ != nullptr && !tls_->said_all()) return;
  if (has(flag_peer_ended)) {
    return terminate(has(flag_discarding) ? CloseReason::closed_locally : CloseReason::finished);
  }
  if (!has(flag_shut_down)) shut_down();
  if (has(flag_discarding)) {
    if (limits_->linger_timeout <= Duration::zero()) return terminate(CloseReason::closed_locally);
    last_activity_ = core_->poller.now();
    start_timer();
  }
}

}  // namespace tern
