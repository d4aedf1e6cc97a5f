#include "src/core/connection/tls_session.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "src/core/connection/connection.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "src/core/tls/filter.hpp"

namespace tern {
namespace {

using State = Connection::State;

// What is decrypted before the protocol is called, and what is encrypted before it is sent.
constexpr std::size_t batch_bytes = 4 * tls::record_bytes_max;
// What encryption adds to a batch at most, and the limit of output allows beyond what was queued.
constexpr std::size_t batch_overhead_max = 512;
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

TlsSession::TlsSession(ConnectionImpl& connection, std::shared_ptr<TlsContext> context,
                       std::string peer_name)
    : connection_(connection),
      context_(std::move(context)),
      peer_name_(std::move(peer_name)),
      deferred_result_(tls::Result::want_input) {}

TlsSession::~TlsSession() = default;

// --- turns ---

void TlsSession::wait_turn() {
  if (turn_links.list != nullptr) return;
  Reactor::Core& core = *connection_.core_;
  const bool is_handshake = connection_.state_ == State::handshaking;
  (is_handshake ? core.handshakes_waiting : core.input_held).push_back(*this);
}

void TlsSession::take_held_input() {
  if (!takes_input()) return;
  const std::vector<std::byte> held = std::exchange(held_, {});
  decrypt(held);
  connection_.update_receiving();
}

// --- the handshake ---

void TlsSession::opened() {
  Reactor::Core& core = *connection_.core_;
  if (connection_.state_ == State::connecting) connection_.enter(State::handshaking);
  connection_.last_activity_ = handshake_from_ = core.poller.now();
  connection_.arm_for(connection_.limits_->handshake_timeout);
  if (!context_->is_server()) {
    decrypt({});  // a client speaks first
    return connection_.update_receiving();
  }
  core.handshakes.push_back(*this);
  if (core.handshakes.size() > connection_.limits_->handshakes_max) {
    core.handshakes.front().connection_.terminate(
        CloseReason::handshake_timeout,
        std::make_error_code(std::errc::resource_unavailable_try_again), true);
  }
  connection_.update_receiving();
}

void TlsSession::established() {
  Reactor::Core& core = *connection_.core_;
  IntrusiveList<TlsSession>::leave(*this, &TlsSession::handshake_links);
  ++core.counters.handshakes;
  if (filter_->resumed()) ++core.counters.resumptions;
  connection_.enter(State::open);
  connection_.last_activity_ = core.poller.now();
  handshake_time_ = connection_.last_activity_ - handshake_from_;
  connection_.start_timer();
  connection_.protocol_->opened(connection_);
}

// --- input ---

// Whether nothing that still comes is wanted.
bool TlsSession::is_over() const {
  return connection_.is_ending() ||
         connection_.has(ConnectionImpl::flag_discarding | ConnectionImpl::flag_peer_ended);
}

// Whether the stream may go on: not while the protocol has paused or has too much queued, but a
// handshake always.
bool TlsSession::takes_input() const {
  if (is_over()) return false;
  return connection_.state_ == State::handshaking ||
         !connection_.has(ConnectionImpl::flag_paused | ConnectionImpl::flag_output_full);
}

bool TlsSession::holds_input() const {
  return !held_.empty() || deferred_result_ != tls::Result::want_input ||
         (filter_ != nullptr && filter_->has_input());
}

bool TlsSession::wants_input(bool wanted) {
  if (connection_.has(ConnectionImpl::flag_discarding)) {
    held_ = {};
    return true;
  }
  if (connection_.state_ == State::handshaking) wanted = true;
  if (!wanted || !holds_input()) return wanted;
  wait_turn();
  return false;
}

void TlsSession::received(Slice ciphertext) {
  Reactor::Core& core = *connection_.core_;
  connection_.last_activity_ = core.poller.now();
  if (connection_.state_ == State::handshaking && !core.take_handshake_step()) {
    held_.insert(held_.end(), ciphertext.begin(), ciphertext.end());
  } else {
    decrypt(ciphertext);
  }
  connection_.update_receiving();
}

void TlsSession::stream_ended() {
  std::error_code error;
  if (filter_ != nullptr) {
    std::vector<std::byte>& output = connection_.core_->ciphertext;
    std::array<std::byte, 1> room{};
    std::size_t count = 0;
    tls::Wire wire = wire_of({}, output);
    wire.input_ended = true;
    if (connection_.state_ == State::handshaking) {
      filter_->handshake(wire);
    } else {
      filter_->read(wire, room, count);
    }
    output.clear();  // no alert is sent: a truncated stream ends at once
    error = filter_->error();
  }
  fail(CloseReason::truncated, error);
}

// As far as it goes; the rest is held.
void TlsSession::decrypt(Slice ciphertext) {
  tls::Wire wire = wire_of(ciphertext, connection_.core_->ciphertext);
  if (filter_ == nullptr) {
    filter_ = context_->make_filter(peer_name_);
    peer_name_ = {};
  }
  bool goes_on = true;
  while (goes_on && takes_input()) {
    goes_on =
        connection_.state_ == State::handshaking ? step_handshake(wire) : read_plaintext(wire);
  }
  assert(connection_.core_->ciphertext.empty());
  if (!is_over()) held_.assign(wire.input.begin(), wire.input.end());
}

// Returns whether there may be more to do.
bool TlsSession::step_handshake(tls::Wire& wire) {
  const tls::Result result = filter_->handshake(wire);
  send_encrypted();
  if (result != tls::Result::done) return goes_on_after(result);
  if (!connection_.is_ending()) established();
  return true;
}

bool TlsSession::read_plaintext(tls::Wire& wire) {
  if (deferred_result_ != tls::Result::want_input) {
    return goes_on_after(std::exchange(deferred_result_, tls::Result::want_input));
  }
  // Not more at once than a plain connection would be given.
  Reactor::Core& core = *connection_.core_;
  const std::span<std::byte> room =
      plaintext_room(core).first(std::min(batch_bytes, core.receive_bytes));
  std::size_t count = 0;
  const tls::Result result = filter_->read(wire, room, count);
  send_encrypted();
  if (count > 0) deliver(room.first(count));
  if (result == tls::Result::done) return true;
  if (connection_.is_ending() || connection_.has(ConnectionImpl::flag_discarding)) return false;
  if (!takes_input()) {
    deferred_result_ = result;
    return false;
  }
  return goes_on_after(result);
}

bool TlsSession::goes_on_after(tls::Result result) {
  switch (result) {
    case tls::Result::done:
    case tls::Result::want_input:
    case tls::Result::want_output:  // the room is never limited
      return false;
    case tls::Result::ended:
      connection_.stop_receiving();
      connection_.on_peer_end();
      return false;
    case tls::Result::truncated:
      fail(CloseReason::truncated, filter_->error());
      return false;
    case tls::Result::failed:
      fail(CloseReason::tls_error, filter_->error());
      return false;
  }
  return false;
}

void TlsSession::deliver(Slice plaintext) {
  Reply& reply_of_turn = connection_.core_->reply;
  const bool may_answer = connection_.output_ == nullptr && connection_.state_ == State::open &&
                          !connection_.has(ConnectionImpl::flag_broken);
  reply_of_turn.begin(connection_, plaintext, may_answer);
  connection_.protocol_->received(connection_, plaintext);
  if (reply_of_turn.end()) reply(reply_of_turn.take());
}

// --- output ---

void TlsSession::reply(Slice plaintext) {
  std::size_t count = 0;
  if (!encrypt(plaintext, count)) return;
  send_encrypted();
  if (connection_.is_ending()) return;
  if (count < plaintext.size()) {
    if (!connection_.make_room(plaintext.size() - count, batch_overhead_max)) return;
    connection_.queue_rest(plaintext.subspan(count));
    connection_.queued_more();
  }
  if (connection_.state_ == State::draining && connection_.handed_over()) {
    connection_.on_output_flushed();
  }
}

void TlsSession::send_queued() {
  connection_.send_queue(records);
  while (!connection_.has(ConnectionImpl::flag_sending) && encrypt_queued()) continue;
}

// Moves a batch from the queue through the filter to the kernel. Returns whether to go on.
bool TlsSession::encrypt_queued() {
  Reactor::Core& core = *connection_.core_;
  OutputQueue* const queue = connection_.output_;
  if (queue == nullptr || connection_.is_ending()) return false;
  bool goes_on = true;
  while (goes_on && !queue->empty() && core.ciphertext.size() < batch_bytes) {
    std::array<Slice, slices_max>& slices = core.slices;
    const std::size_t slice_count = queue->gather(slices);
    Slice record = slices.front();
    if (record.size() < tls::record_bytes_max && slice_count > 1) {
      // Short pieces share a record: each costs a head, a tail and a call.
      const std::span<std::byte> room = plaintext_room(core);
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
    queue->consume(count, core.blocks);
    goes_on = count > 0;
  }
  if (queue->empty()) connection_.drop_queue(connection_.output_);
  send_encrypted();
  return goes_on && connection_.output_ != nullptr;
}

// False: the stream is broken.
bool TlsSession::encrypt(Slice plaintext, std::size_t& count) {
  // Several records of one batch follow each other in the same room.
  tls::Wire wire{.input = {}, .input_ended = false, .output = connection_.core_->ciphertext};
  const tls::Result result = filter_->write(wire, plaintext, count);
  const bool is_broken = result == tls::Result::failed || result == tls::Result::truncated;
  if (is_broken) fail(CloseReason::tls_error, filter_->error());
  return !is_broken;
}

// Whatever the filter has written: to the kernel at once where that copies, and what it does not
// take to the records, where it counts.
void TlsSession::send_encrypted() {
  using C = ConnectionImpl;
  Reactor::Core& core = *connection_.core_;
  std::vector<std::byte>& bytes = core.ciphertext;
  if (bytes.empty()) return;
  Slice rest = bytes;
  if (connection_.is_ending() || connection_.has(C::flag_broken | C::flag_shut_down)) rest = {};
  const bool is_next = records == nullptr && !connection_.has(C::flag_sending);
  if (is_next && !rest.empty() && !core.poller.sends_later()) {
    rest = rest.subspan(core.poller.send(connection_.channel_, {&rest, 1}));
    connection_.last_activity_ = core.poller.now();
    if (!rest.empty()) connection_.set(C::flag_sending);
  }
  if (!rest.empty() && connection_.make_room(rest.size(), batch_overhead_max)) {
    if (records == nullptr) records = core.take_queue();
    records->append_copy(rest, core.blocks);
    if (!connection_.has(C::flag_sending)) connection_.send_queue(records);
    connection_.pause_when_full();
  }
  bytes.clear();
  if (bytes.capacity() > kept_bytes_max) bytes = {};
}

bool TlsSession::said_all() {
  if (!std::exchange(close_notify_sent_, true) && !failed_) {
    tls::Wire wire = wire_of({}, connection_.core_->ciphertext);
    filter_->end(wire);
    send_encrypted();
  }
  return records == nullptr && !connection_.has(ConnectionImpl::flag_sending);
}

// --- ending ---

// The peer gets the alert that tells it, and has time to read it.
void TlsSession::fail(CloseReason reason, const std::error_code& error) {
  if (failed_) return;
  failed_ = true;
  failure_ = reason;
  error_ = error;
  connection_.drop_queue(connection_.output_);
  IntrusiveList<TlsSession>::leave(*this, &TlsSession::handshake_links);
  send_encrypted();
  if (connection_.is_ending()) return;
  if (reason == CloseReason::truncated) return connection_.terminate(reason, error);
  connection_.begin_linger();
}

void TlsSession::ended(CloseReason& reason, std::error_code& cause) {
  if (failed_) {
    reason = failure_;
    cause = error_;
  }
  IntrusiveList<TlsSession>::leave(*this, &TlsSession::handshake_links);
  IntrusiveList<TlsSession>::leave(*this, &TlsSession::turn_links);
  held_ = {};
}

std::optional<TlsInfo> TlsSession::info() const {
  const bool has_begun =
      connection_.state_ != State::connecting && connection_.state_ != State::handshaking;
  if (filter_ == nullptr || !has_begun) return {};
  return filter_->info();
}

}  // namespace tern
