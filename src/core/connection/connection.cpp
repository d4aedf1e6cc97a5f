#include "src/core/connection/connection.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "src/core/connection/connect_attempt.hpp"
#include "src/core/connection/tls_session.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {
namespace {

using State = Connection::State;

// The drawing in include/tern/connection.hpp, as a table.
[[maybe_unused]] constexpr bool may_follow(State from, State to) {
  switch (from) {
    case State::connecting:
      return to == State::handshaking || to == State::open || to == State::closing;
    case State::handshaking:
      return to == State::open || to == State::draining || to == State::closing;
    case State::open:
      return to == State::draining || to == State::closing;
    case State::draining:
      return to == State::closing;
    case State::closing:
      return to == State::closed;
    case State::closed:
      return false;
  }
  return false;
}

bool peer_vanished(const std::error_code& error) {
  return error == std::errc::connection_reset || error == std::errc::broken_pipe ||
         error == std::errc::connection_aborted || error == std::errc::not_connected;
}

CloseReason reason_of(const std::error_code& error) {
  return peer_vanished(error) ? CloseReason::reset_by_peer : CloseReason::error;
}

}  // namespace

ConnectionImpl::ConnectionImpl(Reactor::Core& core, Protocol& protocol, const Limits& limits,
                               State state, ConnectionSource* source)
    : Connection(core, protocol, limits, state), source_(source) {}

ConnectionImpl::~ConnectionImpl() { drop_output(); }

void ConnectionImpl::enter(State next) {
  assert(may_follow(state_, next));
  state_ = next;
  plain_ = next == State::open && tls_ == nullptr;
  core_->reply.decline(*this);  // only an open connection can
}

// --- beginning ---

void ConnectionImpl::use_tls(std::shared_ptr<TlsContext> context, std::string peer_name) {
  tls_ = std::make_unique<TlsSession>(*this, std::move(context), std::move(peer_name));
  plain_ = false;
}

bool ConnectionImpl::accept(Socket socket, std::error_code& error) {
  channel_ = core_->poller.attach(socket, this, error);
  return channel_.valid();
}

void ConnectionImpl::open() {
  if (tls_ != nullptr) return tls_->opened();
  if (state_ == State::connecting) enter(State::open);
  last_activity_ = core_->poller.now();
  start_timer();
  protocol_->opened(*this);
  update_receiving();
}

// --- the owner's side of the poller ---

// Bytes for an open connection are what nearly every completion brings; this way is kept short, and
// free of anything that needs a stack frame.
void ConnectionImpl::completed(const Completion& completion) {
  const bool is_plain =
      completion.operation == Operation::receive && plain_ && !completion.bytes.empty();
  if (!is_plain) [[unlikely]]
    return completed_otherwise(completion);
  deliver(completion.bytes);
}

void ConnectionImpl::deliver(Slice bytes) {
  Reactor::Core& core = *core_;
  last_activity_ = core.poller.now();
  // Where the kernel reads slices later and the poller does not keep these for it, and behind what
  // is queued already, a copy is needed; and nothing can be sent after our last word or to a peer
  // that takes nothing.
  const bool stays = !core.poller.sends_later() || core.poller.loans_receive_buffer();
  const bool is_lent = core.poller.loans_receive_buffer() && lent_bytes_ > 0;
  bool may_answer = false;
  if (stays && output_ == nullptr && !is_lent && state_ == State::open) [[likely]]
    may_answer = !has(flag_broken);
  core.reply.begin(*this, bytes, may_answer);
  protocol_->received(*this, bytes);
  if (core.reply.end()) send_reply();
}

[[gnu::noinline]] void ConnectionImpl::completed_otherwise(const Completion& completion) {
  switch (completion.operation) {
    case Operation::receive:
      return on_receive(completion);
    case Operation::send:
      return on_send(completion);
    case Operation::connect:
      return on_connect(completion.error);
    case Operation::close:
      return on_close();
    case Operation::accept:
      break;
  }
  assert(false && "accept completions belong to an acceptor");
}

void ConnectionImpl::on_connect(std::error_code error) {
  if (is_ending()) return;
  // Without a listener, TCP may connect a socket of the ephemeral range to itself.
  if (!error && local() == peer() && local().is_ip()) {
    error = std::make_error_code(std::errc::connection_refused);
  }
  if (error) {
    core_->attempts.at(this)->failed(error);
    set(flag_channel_closing);
    core_->poller.close(channel_);
    return;
  }
  core_->attempts.erase(this);
  ++core_->counters.connected;
  open();
}

void ConnectionImpl::on_close() {
  if (state_ != State::connecting) return notify_closed();
  // One address failed and its socket is gone; the connection lives on.
  clear(flag_channel_closing);
  channel_ = {};
  core_->attempts.at(this)->try_next();
}

void ConnectionImpl::on_receive(const Completion& completion) {
  if (is_ending()) return;
  if (completion.error) return on_receive_error(completion.error);
  const bool is_filtered = tls_ != nullptr && !has(flag_discarding);
  if (completion.bytes.empty()) return is_filtered ? on_stream_end() : on_peer_end();
  if (is_filtered) return tls_->received(completion.bytes);
  if (!has(flag_discarding)) return deliver(completion.bytes);
  // Until all was handed over, what is dropped counts for nothing, not against the lingering nor as
  // activity: a chatty peer must get our last bytes, and must read them to keep us here.
  if (!has(flag_shut_down)) return;
  last_activity_ = core_->poller.now();
  on_discarded(completion.bytes.size());
}

void ConnectionImpl::on_receive_error(const std::error_code& error) {
  clear(flag_receiving);
  // After close() the peer may leave as it likes, once it was handed everything.
  if (has(flag_discarding) && handed_over() && !has(flag_broken)) {
    return terminate(CloseReason::closed_locally);
  }
  terminate(reason_of(error), error);
}

void ConnectionImpl::on_discarded(std::size_t bytes) {
  // A receive counts for at least a 1,024th of the limit: dripping single bytes ends, too.
  const std::size_t cost = std::max(bytes, limits_->linger_bytes_max / 1024);
  if (cost >= linger_bytes_left_) return terminate(CloseReason::closed_locally);
  linger_bytes_left_ -= static_cast<std::uint32_t>(cost);
}

// The kernel's, where TLS has one of its own.
void ConnectionImpl::on_stream_end() {
  clear(flag_receiving);
  if (has(flag_broken)) return terminate(CloseReason::reset_by_peer, core_->causes[this]);
  tls_->stream_ended();
}

void ConnectionImpl::on_peer_end() {
  clear(flag_receiving);
  set(flag_peer_ended);
  if (has(flag_broken)) return terminate(CloseReason::reset_by_peer, core_->causes[this]);
  if (!has(flag_discarding)) protocol_->ended(*this);
  if (state_ == State::draining && handed_over()) on_output_flushed();
}

void ConnectionImpl::on_send(const Completion& completion) {
  clear(flag_sending);
  if (is_ending()) return;
  if (completion.error) return on_send_error(completion.error);
  if (completion.count > 0) last_activity_ = core_->poller.now();
  if (lent_bytes() > 0) return on_reply_sent(completion);
  if (completion.count > 0) offered()->consume(completion.count, core_->blocks);
  send_queued();
}

// The peer takes nothing any more, but what it sent before may still be there to be received: the
// connection ends with the end or the error that follows it.
void ConnectionImpl::on_send_error(const std::error_code& error) {
  drop_output();
  set(flag_broken);
  const bool may_still_receive =
      !has(flag_peer_ended | flag_discarding | flag_paused) && peer_vanished(error);
  if (!may_still_receive) return terminate(reason_of(error), error);
  core_->causes[this] = error;
  clear(flag_output_full);
  update_receiving();
}

void ConnectionImpl::notify_closed() {
  enter(State::closed);
  drop_output();
  std::error_code error;
  if (const auto cause = core_->causes.find(this); cause != core_->causes.end()) {
    error = cause->second;
    core_->causes.erase(cause);
  }
  ++core_->counters.closed[static_cast<std::size_t>(reason_)];
  protocol_->closed(*this, reason_, error);
  if (source_ != nullptr) source_->connection_gone();
  core_->destroy_due.push_back(this);
}

// --- replies ---

// What received() sends first is the reply; all else goes to the queue behind it.
void ConnectionImpl::queue(Slice bytes) {
  if (!core_->reply.lend(*this, bytes)) [[unlikely]]
    queue_copy(bytes);
}

void ConnectionImpl::send_reply() {
  Reply& reply = core_->reply;
  const std::size_t taken = core_->poller.send(channel_, {&reply.bytes(), 1});
  if (taken != reply.bytes().size() || state_ != State::open) [[unlikely]]
    return reply_left(taken);
  (void)reply.take();
}

// --- ending ---

void ConnectionImpl::finish_sending() {
  if (state_ != State::open) return;
  enter(State::draining);
  if (bytes_queued() == 0) on_output_flushed();
}

void ConnectionImpl::close_gracefully() {
  const bool has_begun = state_ != State::connecting && state_ != State::handshaking;
  if (!has_begun) return terminate(CloseReason::closed_locally);
  if (!is_ending() && !has(flag_discarding)) begin_linger();
}

void ConnectionImpl::begin_linger() {
  if (state_ != State::draining) enter(State::draining);
  set(flag_discarding);
  if (has(flag_broken)) return terminate(CloseReason::reset_by_peer, core_->causes[this]);
  update_receiving();
  if (bytes_queued() == 0) on_output_flushed();
}

// What leads here, and with which reason:
//
//   both sides have ended, and our output has left ..... finished
//   close(): before opened() at once; later when the
//     output has left, and the peer has gone or the
//     linger limits are reached ........................ closed_locally
//   abort(), and the reactor's end ..................... aborted              reset
//   an error of a receive or a send .................... reset_by_peer, error
//   no address could be connected to, or not in time ... connect_failed
//   TLS: no agreement in time, too many handshakes ..... handshake_timeout
//   TLS: refused or broken, once the peer could read it; tls_error
//     cut off .......................................... truncated
//   silence ............................................ idle_timeout         reset if not all left
//   a send() beyond the limit .......................... output_limit         reset
//   a drain's time is over ............................. drain_timeout        reset
void ConnectionImpl::terminate(CloseReason reason, const std::error_code& error, bool reset) {
  if (is_ending()) return;
  enter(State::closing);
  reason_ = reason;
  std::error_code cause = error;
  if (tls_ != nullptr) tls_->ended(reason_, cause);
  if (cause) {
    core_->causes[this] = cause;
  } else {
    core_->causes.erase(this);
  }
  if (!core_->reply.of(*this).empty()) (void)core_->reply.take();
  cancel();
  // A completion kernel may be reading the slices until the last completion.
  if (!has(flag_sending)) drop_output();
  core_->attempts.erase(this);
  if (!channel_.valid()) {
    core_->closed_due.push_back(this);
    return;
  }
  if (has(flag_channel_closing)) return;
  if (reset) Poller::Sockets::reset_on_close(core_->poller.socket(channel_));
  core_->poller.close(channel_);
}

// --- input and time ---

void ConnectionImpl::set_paused(bool paused) {
  if (paused) {
    set(flag_paused);
  } else {
    clear(flag_paused);
  }
  update_receiving();
}

void ConnectionImpl::update_receiving() {
  if (is_ending() || state_ == State::connecting || has(flag_peer_ended)) return;
  bool wanted = has(flag_discarding) || !has(flag_paused | flag_output_full);
  if (tls_ != nullptr) wanted = tls_->wants_input(wanted);
  if (wanted == has(flag_receiving)) return;
  if (!wanted) return stop_receiving();
  set(flag_receiving);
  core_->poller.receive(channel_);
}

void ConnectionImpl::stop_receiving() {
  if (!has(flag_receiving)) return;
  clear(flag_receiving);
  core_->poller.stop(channel_, Operation::receive);
}

void ConnectionImpl::change_limits(const Limits& limits) {
  limits_ = &limits;
  if (is_ending() || state_ == State::connecting || state_ == State::handshaking) return;
  start_timer();
  // The watermarks are looked at when the queue is: drained() must not be called from here.
  if (output_ != nullptr) queued_more();
}

// After close(), once all was handed over, silence has another limit than before.
Duration ConnectionImpl::silence_max() const {
  const bool lingering = has(flag_discarding) && has(flag_shut_down);
  return lingering ? limits_->linger_timeout : limits_->idle_timeout;
}

void ConnectionImpl::start_timer() {
  cancel();
  arm_for(silence_max());
}

// From the last activity on; zero is for ever.
void ConnectionImpl::arm_for(Duration silence) {
  if (silence > Duration::zero() && silence < Time::max() - last_activity_) {
    arm(core_->reactor, last_activity_ + silence);
  }
}

void ConnectionImpl::fire() {
  if (is_ending()) return;
  if (state_ == State::handshaking) {
    return terminate(CloseReason::handshake_timeout, std::make_error_code(std::errc::timed_out));
  }
  // Nothing re-arms the timer when bytes move; it looks when it fires, and waits for the rest.
  if (core_->poller.now() - last_activity_ < silence_max()) return start_timer();
  if (has(flag_discarding) && has(flag_shut_down)) return terminate(CloseReason::closed_locally);
  const Time quiet_since = last_activity_;
  if (tls_ != nullptr && handed_over()) (void)tls_->said_all();
  last_activity_ = quiet_since;
  // What did not leave is lost: the peer must not take the bytes before it for all there was.
  terminate(CloseReason::idle_timeout, {}, !handed_over());
}

std::optional<TlsInfo> ConnectionImpl::tls_info() const {
  return tls_ == nullptr ? std::nullopt : tls_->info();
}

Duration ConnectionImpl::handshake_took() const {
  return tls_ == nullptr ? Duration::zero() : tls_->handshake_time();
}

// --- the public face ---

Protocol::~Protocol() = default;
void Protocol::opened(Connection&) {}
void Protocol::ended(Connection& connection) { connection.finish(); }
void Protocol::drained(Connection&) {}
void Protocol::closed(Connection&, CloseReason, const std::error_code&) {}

namespace {
ConnectionImpl& impl(Connection& connection) { return static_cast<ConnectionImpl&>(connection); }
const ConnectionImpl& impl(const Connection& connection) {
  return static_cast<const ConnectionImpl&>(connection);
}
}  // namespace

Connection::Connection(Reactor::Core& core, Protocol& protocol, const Limits& limits, State state)
    : core_(&core),
      protocol_(&protocol),
      limits_(&limits),
      last_activity_(core.poller.now()),
      state_(state),
      plain_(state == State::open) {}

void Connection::send(std::span<const std::byte> bytes) { impl(*this).queue(bytes); }
void Connection::send(std::string_view text) { impl(*this).queue(std::as_bytes(std::span(text))); }
void Connection::send(const SharedBuffer& buffer) { impl(*this).queue(buffer); }
void Connection::finish() { impl(*this).finish_sending(); }
void Connection::close() { impl(*this).close_gracefully(); }
void Connection::abort() { impl(*this).terminate(CloseReason::aborted, {}, true); }
void Connection::pause() { impl(*this).set_paused(true); }
void Connection::resume() { impl(*this).set_paused(false); }
std::size_t Connection::queued_bytes() const { return impl(*this).bytes_queued(); }
void Connection::set_limits(const Limits& limits) { impl(*this).change_limits(limits); }
std::optional<TlsInfo> Connection::tls() const { return impl(*this).tls_info(); }
Duration Connection::handshake_time() const { return impl(*this).handshake_took(); }
Reactor& Connection::reactor() const { return core_->reactor; }

Endpoint Connection::local() const {
  const ConnectionImpl& self = impl(*this);
  if (!self.has_socket()) return {};
  return Poller::Sockets::local(core_->poller.socket(self.channel()));
}

Endpoint Connection::peer() const {
  const ConnectionImpl& self = impl(*this);
  if (!self.has_socket()) return {};
  return Poller::Sockets::peer(core_->poller.socket(self.channel()));
}

std::string_view to_string(Connection::State state) {
  switch (state) {
    case State::connecting:
      return "connecting";
    case State::handshaking:
      return "handshaking";
    case State::open:
      return "open";
    case State::draining:
      return "draining";
    case State::closing:
      return "closing";
    case State::closed:
      return "closed";
  }
  return "unknown";
}

}  // namespace tern
