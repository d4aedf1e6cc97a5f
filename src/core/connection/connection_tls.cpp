// The TLS side of a connection: see src/core/connection/tls_state.hpp for the way of its bytes.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "src/core/connection/tls_state.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {
namespace {

// What is decrypted before the protocol is called, and what is encrypted before it is sent.
constexpr std::size_t batch_bytes = 4 * tls::record_bytes_max;
// Room that one turn's exceptionally long output has taken is given back.
constexpr std::size_t kept_bytes_max = 4 * batch_bytes;

tls::Wire wire_of(Slice input, std::vector<std::byte>& output) {
  assert(output.empty());
  return {.input = input, .input_ended = false, .output = output};
}

std::span<std::byte> plaintext_room(Reactor::Core& core) {
  if (core.plaintext.empty()) core.plaintext.resize(batch_bytes);
  return core.plaintext;
}

}  // namespace

// --- turns ---

void ConnectionImpl::wait_turn() {
  Reactor::Core& core = *core_;
  if (!std::exchange(tls_->is_waiting, true)) {
    core.waiting.push_back(this);
    tls_->waiting = std::prev(core.waiting.end());
  }
  if (!std::exchange(core.waiting_is_posted, true)) {
    core.reactor.post([&core] { core.take_held_input(); });
  }
}

void ConnectionImpl::take_held_input() {
  tls_->is_waiting = false;
  core_->waiting.erase(tls_->waiting);
  if (!takes_input()) return;
  if (state_ == State::handshaking && !core_->take_handshake_step()) return wait_turn();
  const std::vector<std::byte> held = std::exchange(tls_->held, {});
  take_in(held);
  update_receiving();
}

// --- the handshake ---

void ConnectionImpl::use_tls(std::shared_ptr<TlsContext> context, std::string peer_name) {
  tls_ = std::make_unique<TlsState>();
  tls_->context = std::move(context);
  tls_->peer_name = std::move(peer_name);
  plain_ = false;
}

void ConnectionImpl::begin_handshake() {
  if (state_ == State::connecting) enter(State::handshaking);
  last_activity_ = tls_->handshake_from = core_->poller.now();
  const Duration timeout = limits_->handshake_timeout;
  if (timeout > Duration::zero() && timeout < Time::max() - last_activity_) {
    arm(core_->reactor, last_activity_ + timeout);
  }
  if (!tls_->context->is_server()) {
    take_in({});  // a client speaks first
    return update_receiving();
  }
  auto& handshakes = core_->handshakes;
  handshakes.push_back(this);
  tls_->handshake = std::prev(handshakes.end());
  tls_->is_counted = true;
  if (handshakes.size() > limits_->handshakes_max) {
    handshakes.front()->terminate(CloseReason::handshake_timeout,
                                  std::make_error_code(std::errc::resource_unavailable_try_again),
                                  true);
  }
  update_receiving();
}

void ConnectionImpl::leave_handshakes() {
  if (std::exchange(tls_->is_counted, false)) core_->handshakes.erase(tls_->handshake);
}

void ConnectionImpl::established() {
  leave_handshakes();
  ++core_->counters.handshakes;
  if (tls_->filter->resumed()) ++core_->counters.resumptions;
  enter(State::open);
  last_activity_ = core_->poller.now();
  tls_->handshake_took = last_activity_ - tls_->handshake_from;
  start_timer();
  protocol_->opened(*this);
}

// --- input ---

// Whether the stream may go on: not while the protocol has paused, but a handshake always.
bool ConnectionImpl::takes_input() const {
  if (is_ending() || has(flag_discarding | flag_peer_ended)) return false;
  return state_ == State::handshaking || !has(flag_paused | flag_output_full);
}

bool ConnectionImpl::holds_input() const {
  return !tls_->held.empty() || tls_->postponed != tls::Result::want_input ||
         (tls_->filter != nullptr && tls_->filter->has_input());
}

// What is held goes before what the kernel has.
bool ConnectionImpl::tls_wants_input(bool wanted) {
  if (has(flag_discarding)) {
    tls_->held = {};
    return true;
  }
  if (state_ == State::handshaking) wanted = true;
  if (!wanted || !holds_input()) return wanted;
  wait_turn();
  return false;
}

void ConnectionImpl::on_ciphertext(Slice bytes) {
  last_activity_ = core_->poller.now();
  if (state_ == State::handshaking && !core_->take_handshake_step()) {
    tls_->held.insert(tls_->held.end(), bytes.begin(), bytes.end());
  } else {
    take_in(bytes);
  }
  update_receiving();
}

// The kernel's end of the stream. TLS has its own, which would have come before it.
void ConnectionImpl::on_stream_end() {
  clear(flag_receiving);
  if (has(flag_broken)) return terminate(CloseReason::reset_by_peer, core_->causes[this]);
  std::error_code error;
  if (tls_->filter != nullptr) {
    std::array<std::byte, 1> room{};
    std::size_t count = 0;
    tls::Wire wire = wire_of({}, core_->ciphertext);
    wire.input_ended = true;
    if (state_ == State::handshaking) {
      tls_->filter->handshake(wire);
    } else {
      tls_->filter->read(wire, room, count);
    }
    core_->ciphertext.clear();  // no alert is sent: a truncated stream ends at once
    error = tls_->filter->error();
  }
  fail_tls(CloseReason::truncated, error);
}

// As far as it goes; the rest is held.
void ConnectionImpl::take_in(Slice ciphertext) {
  tls::Wire wire = wire_of(ciphertext, core_->ciphertext);
  if (tls_->filter == nullptr) {
    tls_->filter = tls_->context->make_filter(tls_->peer_name);
    tls_->peer_name = {};
  }
  bool goes_on = true;
  while (goes_on && takes_input()) {
    goes_on = state_ == State::handshaking ? shake(wire) : read_plaintext(wire);
  }
  assert(core_->ciphertext.empty());
  const bool is_over = is_ending() || has(flag_discarding | flag_peer_ended);
  if (!is_over) tls_->held.assign(wire.input.begin(), wire.input.end());
}

// Returns whether there may be more to do.
bool ConnectionImpl::shake(tls::Wire& wire) {
  const tls::Result result = tls_->filter->handshake(wire);
  send_ciphertext();
  if (result != tls::Result::done) return tls_ended(result);
  if (!is_ending()) established();
  return true;
}

bool ConnectionImpl::read_plaintext(tls::Wire& wire) {
  if (tls_->postponed != tls::Result::want_input) {
    return tls_ended(std::exchange(tls_->postponed, tls::Result::want_input));
  }
  // Not more at once than a plain connection would be given.
  const std::size_t most = std::min(batch_bytes, core_->receive_bytes);
  const std::span<std::byte> room = plaintext_room(*core_).first(most);
  std::size_t count = 0;
  const tls::Result result = tls_->filter->read(wire, room, count);
  send_ciphertext();
  if (count > 0) deliver_plaintext(room.first(count));
  if (result == tls::Result::done) return true;
  if (is_ending() || has(flag_discarding)) return false;
  if (!takes_input()) {
    tls_->postponed = result;
    return false;
  }
  return tls_ended(result);
}

// Returns whether there may be more to do.
bool ConnectionImpl::tls_ended(tls::Result result) {
  switch (result) {
    case tls::Result::done:
    case tls::Result::want_input:
    case tls::Result::want_output:  // the room is never limited
      return false;
    case tls::Result::ended:
      if (has(flag_receiving)) core_->poller.stop(channel_, Operation::receive);
      on_peer_end();
      return false;
    case tls::Result::truncated:
      fail_tls(CloseReason::truncated, tls_->filter->error());
      return false;
    case tls::Result::failed:
      fail_tls(CloseReason::tls_error, tls_->filter->error());
      return false;
  }
  return false;
}

void ConnectionImpl::deliver_plaintext(Slice plaintext) {
  Reactor::Core& core = *core_;
  core.receiving = this;
  const bool may_borrow = tls_->plaintext == nullptr && state_ == State::open && !has(flag_broken);
  core.borrower = may_borrow ? this : nullptr;
  core.incoming = plaintext;
  protocol_->received(*this, plaintext);
  core.receiving = core.borrower = nullptr;
  if (!core.reply.empty()) encrypt_reply();
}

// --- output ---

void ConnectionImpl::encrypt_reply() {
  const Slice reply = std::exchange(core_->reply, {});
  std::size_t count = 0;
  if (!encrypt(reply, count)) return;
  send_ciphertext();
  if (is_ending()) return;
  if (count < reply.size()) {
    output().append_copy(reply.subspan(count), core_->blocks);
    queued_more();
  }
  if (bytes_queued() > limits_->output_bytes_max) {
    return terminate(CloseReason::output_limit, {}, true);
  }
  pause_when_full();
  if (state_ == State::draining && handed_over()) on_output_flushed();
}

// Moves a batch from the queue through the filter to the kernel. Returns whether to go on.
bool ConnectionImpl::encrypt_queued() {
  OutputQueue* queue = tls_->plaintext;
  if (queue == nullptr || is_ending()) return false;
  bool goes_on = true;
  while (goes_on && !queue->empty() && core_->ciphertext.size() < batch_bytes) {
    std::array<Slice, slices_max>& slices = core_->slices;
    const std::size_t slice_count = queue->gather(slices);
    Slice record = slices.front();
    if (record.size() < tls::record_bytes_max && slice_count > 1) {
      // Short pieces share a record: each costs a head, a tail and a call.
      const std::span<std::byte> room = plaintext_room(*core_);
      std::size_t joined = 0;
      for (std::size_t i = 0; i < slice_count && joined < tls::record_bytes_max; ++i) {
        const std::size_t size = std::min(slices[i].size(), tls::record_bytes_max - joined);
        std::memcpy(room.data() + joined, slices[i].data(), size);
        joined += size;
      }
      record = room.first(joined);
    }
    std::size_t count = 0;
    if (!encrypt(record.first(std::min(record.size(), batch_bytes)), count)) return false;
    queue->consume(count, core_->blocks);
    goes_on = count > 0;
  }
  if (queue->empty()) core_->give_back_queue(std::exchange(tls_->plaintext, nullptr));
  send_ciphertext();
  return goes_on && tls_->plaintext != nullptr;
}

// False: the stream is broken.
bool ConnectionImpl::encrypt(Slice plaintext, std::size_t& count) {
  // Several records of one batch follow each other in the same room.
  tls::Wire wire{.input = {}, .input_ended = false, .output = core_->ciphertext};
  const tls::Result result = tls_->filter->write(wire, plaintext, count);
  tls_->sealed_bytes += count;
  const bool is_broken = result == tls::Result::failed || result == tls::Result::truncated;
  if (is_broken) fail_tls(CloseReason::tls_error, tls_->filter->error());
  return !is_broken;
}

// To the kernel at once where it copies, and what it does not take to the queue.
void ConnectionImpl::send_ciphertext() {
  std::vector<std::byte>& bytes = core_->ciphertext;
  if (bytes.empty()) return;
  Slice rest = bytes;
  if (is_ending() || has(flag_broken | flag_shut_down)) rest = {};
  const bool is_next = output_ == nullptr && !has(flag_sending);
  if (is_next && !rest.empty() && !core_->poller.sends_later()) {
    rest = rest.subspan(core_->poller.send(channel_, {&rest, 1}));
    last_activity_ = core_->poller.now();
    if (!rest.empty()) set(flag_sending);
  }
  if (!rest.empty()) {
    if (output_ == nullptr) output_ = core_->take_queue();
    output_->append_copy(rest, core_->blocks);
    if (!has(flag_sending)) send_output();
  }
  if (output_ == nullptr) tls_->sealed_bytes = 0;
  bytes.clear();
  if (bytes.capacity() > kept_bytes_max) bytes = {};
}

// Limits and watermarks are about what the protocol has queued: not about heads, tails and
// handshakes.
std::size_t ConnectionImpl::user_bytes(std::size_t ciphertext_bytes) const {
  const std::size_t queued = tls_->plaintext == nullptr ? 0 : tls_->plaintext->bytes();
  return queued + std::min(ciphertext_bytes, tls_->sealed_bytes);
}

// Tells the peer that we have said all. Returns whether that has been handed over as well.
bool ConnectionImpl::said_goodbye() {
  if (!std::exchange(tls_->said_goodbye, true) && !tls_->failed) {
    tls::Wire wire = wire_of({}, core_->ciphertext);
    tls_->filter->end(wire);
    send_ciphertext();
  }
  return output_ == nullptr && !has(flag_sending);
}

// --- ending ---

// The peer gets the alert that tells it, and has time to read it.
void ConnectionImpl::fail_tls(CloseReason reason, const std::error_code& error) {
  if (tls_->failed) return;
  tls_->failed = true;
  tls_->failure = reason;
  tls_->error = error;
  if (tls_->plaintext != nullptr) {
    core_->give_back_queue(std::exchange(tls_->plaintext, nullptr));
  }
  leave_handshakes();
  send_ciphertext();
  if (is_ending()) return;
  if (reason == CloseReason::truncated) return terminate(reason, error);
  begin_linger();
}

void ConnectionImpl::forget_tls() {
  leave_handshakes();
  if (std::exchange(tls_->is_waiting, false)) core_->waiting.erase(tls_->waiting);
  tls_->held = {};
}

Duration ConnectionImpl::handshake_took() const {
  return tls_ == nullptr ? Duration::zero() : tls_->handshake_took;
}

std::optional<TlsInfo> ConnectionImpl::tls_info() const {
  const bool has_begun = state_ != State::connecting && state_ != State::handshaking;
  if (tls_ == nullptr || tls_->filter == nullptr || !has_begun) return {};
  return tls_->filter->info();
}

}  // namespace tern
