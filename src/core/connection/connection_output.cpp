// What a connection has queued: how it gets there, within which limits, and how it leaves.
#include <algorithm>
#include <array>

#include "src/core/connection/connection.hpp"
#include "src/core/connection/tls_state.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {

[[gnu::noinline]] void ConnectionImpl::queue_copy(Slice bytes) {
  if (state_ != State::open || has(flag_broken) || bytes.empty()) return;
  if (may_reply_with(bytes.size())) {
    core_->borrower = nullptr;
    std::copy(bytes.begin(), bytes.end(), core_->reply_room.begin());
    core_->reply = Slice(core_->reply_room).first(bytes.size());
    return;
  }
  if (!core_->reply.empty()) [[unlikely]]
    keep_reply();
  if (!make_room(bytes.size())) return;
  append([&](OutputQueue& output) { output.append_copy(bytes, core_->blocks); });
  queued_more();
}

// Whether a copy in Core::reply_room will do for a reply that goes past the queue. It will not
// where the kernel reads slices later, since the next reply may have replaced the copy by then; a
// TLS filter reads at once. Nor when a watermark or a limit is passed: the queue sees to these.
bool ConnectionImpl::may_reply_with(std::size_t bytes) const {
  if (core_->borrower != this || bytes > core_->reply_room.size()) return false;
  if (tls_ == nullptr && core_->poller.sends_later()) return false;
  return bytes_queued() + bytes <= std::min(limits_->output_high_bytes, limits_->output_bytes_max);
}

void ConnectionImpl::queue(const SharedBuffer& buffer) {
  if (state_ != State::open || has(flag_broken) || buffer.size() == 0) return;
  if (!core_->reply.empty()) [[unlikely]]
    keep_reply();
  if (!make_room(buffer.size())) return;
  append([&](OutputQueue& output) { output.append(buffer, core_->blocks); });
  queued_more();
}

// Not all of it was taken, or it was the last that this connection had to say.
[[gnu::noinline]] void ConnectionImpl::reply_sent(std::size_t taken) {
  const Slice rest = std::exchange(core_->reply, {}).subspan(taken);
  if (rest.empty()) return on_output_flushed();
  set(flag_sending);
  if (!make_room(rest.size())) return;
  if (core_->poller.loans_receive_buffer()) {
    output().append_lent(rest);
  } else {
    output().append_copy(rest, core_->blocks);
  }
  pause_when_full();
}

// Something else is queued behind a reply that has not left: it goes to the queue, to keep order.
// It stays the reply until it is there: there may be no memory for it.
void ConnectionImpl::keep_reply() {
  Slice& reply = core_->reply;
  if (core_->receiving != this || reply.empty() || !make_room(0)) return;
  append([&](OutputQueue& output) { output.append_copy(reply, core_->blocks); });
  reply = {};
  queued_more();
}

// Whoever catches a std::bad_alloc of send() finds the connection as it was.
template <class Append>
void ConnectionImpl::append(const Append& append_to) {
  try {
    append_to(output());
  } catch (...) {
    OutputQueue*& queue = tls_ == nullptr ? output_ : tls_->plaintext;
    if (queue != nullptr && queue->empty()) core_->give_back_queue(std::exchange(queue, nullptr));
    throw;
  }
}

bool ConnectionImpl::make_room(std::size_t bytes) {
  if (is_ending()) return false;
  if (bytes_queued() + bytes <= limits_->output_bytes_max) return true;
  terminate(CloseReason::output_limit, {}, true);
  return false;
}

OutputQueue& ConnectionImpl::output() {
  if (core_->borrower == this) core_->borrower = nullptr;  // a reply would overtake the queue
  OutputQueue*& queue = tls_ == nullptr ? output_ : tls_->plaintext;
  if (queue == nullptr) queue = core_->take_queue();
  return *queue;
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
  send_output();
  if (tls_ != nullptr) {
    while (!has(flag_sending) && encrypt_queued()) continue;
    if (is_ending()) return;
  }
  pause_when_full();
  resume_when_drained();
  if (state_ == State::draining && handed_over()) on_output_flushed();
}

void ConnectionImpl::send_output() {
  while (output_ != nullptr && !output_->empty()) {
    std::array<Slice, slices_max>& slices = core_->slices;
    const std::size_t count = output_->gather(slices);
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) offered += slices[i].size();
    const std::size_t taken = core_->poller.send(channel_, {slices.data(), count});
    if (taken > 0) {
      output_->consume(taken, core_->blocks);
      last_activity_ = core_->poller.now();
    }
    if (taken < offered) {
      set(flag_sending);
      break;
    }
  }
  if (output_ == nullptr || !output_->empty()) return;
  core_->give_back_queue(std::exchange(output_, nullptr));
  if (tls_ != nullptr) tls_->sealed_bytes = 0;
}

void ConnectionImpl::drop_output() {
  if (tls_ != nullptr && tls_->plaintext != nullptr) {
    core_->give_back_queue(std::exchange(tls_->plaintext, nullptr));
  }
  if (output_ == nullptr) return;
  core_->give_back_queue(std::exchange(output_, nullptr));
}

// Nothing is queued, neither here nor in front of the filter.
bool ConnectionImpl::handed_over() const {
  return output_ == nullptr && (tls_ == nullptr || tls_->plaintext == nullptr);
}

std::size_t ConnectionImpl::bytes_queued() const {
  std::size_t queued = output_ == nullptr ? 0 : output_->bytes();
  if (tls_ != nullptr) queued = user_bytes(queued);
  return core_->receiving == this ? queued + core_->reply.size() : queued;
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

// All that was queued is the kernel's, and no more will be queued.
void ConnectionImpl::on_output_flushed() {
  if (is_ending() || has(flag_sending)) return;
  if (tls_ != nullptr && !said_goodbye()) return;
  if (has(flag_peer_ended)) {
    return terminate(has(flag_discarding) ? CloseReason::closed_locally : CloseReason::finished);
  }
  if (!has(flag_shut_down)) {
    set(flag_shut_down);
    core_->poller.shutdown_send(channel_);
  }
  if (has(flag_discarding)) {
    if (limits_->linger_timeout <= Duration::zero()) return terminate(CloseReason::closed_locally);
    last_activity_ = core_->poller.now();
    start_timer();
  }
}

}  // namespace tern
