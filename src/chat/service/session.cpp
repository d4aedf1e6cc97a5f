#include "src/chat/service/session.hpp"

#include <algorithm>

#include "src/chat/service/shard.hpp"

namespace tern::chat {

Session::Session(ChatShard& shard, const Door& door, Connection& connection, MemberId id)
    : shard_(shard),
      door_(door),
      connection_(connection),
      id_(id),
      reader_(door.make_reader()),
      last_command_(shard.reactor().now()) {}

std::vector<Session::Place>::iterator Session::place_in(AudienceId audience) {
  return std::find_if(places.begin(), places.end(),
                      [audience](const Place& place) { return place.audience == audience; });
}

// --- in ---

void Session::received(std::string_view bytes) {
  if (state_ != State::talking) return;
  reader_->feed(bytes);
  pump();
}

void Session::ended() {
  input_ended_ = true;
  if (state_ == State::talking) pump();
}

// Reads what may be read now; the rest waits, and so does the connection.
void Session::pump() {
  Requests requests;
  waits_ = false;
  Command command;
  while (state_ == State::talking) {
    if (requests.size() == in_flight_max) {
      waits_ = true;  // enough for one turn: others want to be heard, too
      arm(shard_.reactor(), shard_.reactor().now());
      break;
    }
    if (!may_go_on() || !next_command(command)) break;
    if (command.kind == Command::Kind::quit) state_ = State::parting;
    requests.push_back({.member = id_, .command = std::move(command)});
    ++in_flight_;
  }
  if (waits_) {
    connection_.pause();
  } else if (connection_.paused()) {
    connection_.resume();
  }
  if (!requests.empty()) shard_.submit(std::move(requests));
}

// False: what has come is no whole command.
bool Session::next_command(Command& command) {
  if (!reader_->next(command)) {
    if (!input_ended_) return false;
    if (!reader_->finish(command)) {  // its end is its farewell
      command = {.kind = Command::Kind::quit};
      return true;
    }
  }
  const Time now = shard_.reactor().now();
  last_command_ = now;
  bucket_.take(shard_.options().flood, now);
  return true;
}

bool Session::may_go_on() {
  if (in_flight_ >= in_flight_max) {
    waits_ = true;  // acknowledge() goes on
    return false;
  }
  const Time now = shard_.reactor().now();
  const support::TokenRate& rate = shard_.options().flood;
  if (bucket_.is_full(now)) slowed_since_ = {};
  if (!rate.is_limited() || bucket_.wait(rate, now) == Duration::zero()) return true;
  // Without anything to read nothing has to wait.
  if (reader_->held_bytes() == 0 && !input_ended_) return false;
  wait_for_token(now);
  return false;
}

void Session::wait_for_token(Time now) {
  const ServiceOptions& options = shard_.options();
  waits_ = true;
  if (slowed_since_ == Time{}) {
    slowed_since_ = now;
    deliver(Notice::slow_down, false);
  }
  const bool out_of_patience =
      options.flood_patience > Duration::zero() && now - slowed_since_ >= options.flood_patience;
  if (out_of_patience) return disconnect(PartReason::flooding);
  if (state_ == State::talking) arm_after(shard_.reactor(), bucket_.wait(options.flood, now));
}

void Session::acknowledge(std::size_t count) {
  in_flight_ -= std::min(in_flight_, count);
  if (waits_ && !armed() && state_ == State::talking) pump();
}

// --- out ---

void Session::deliver(const SharedBuffer& buffer, bool is_presence) {
  if (state_ == State::leaving) return;
  const ServiceOptions& options = shard_.options();
  const std::size_t queued = connection_.queued_bytes();
  if (is_presence && queued > options.output_soft_bytes) return;
  if (queued + buffer.size() > options.output_hard_bytes) {
    return disconnect(PartReason::too_slow);
  }
  connection_.send(buffer);
}

void Session::deliver(Notice notice, bool is_presence) {
  std::string text;
  door_.write_notice(notice, text);
  deliver(SharedBuffer::copy_of(text), is_presence);
}

void Session::check_timeouts(Time now) {
  if (state_ == State::leaving) return;
  const ServiceOptions& options = shard_.options();
  const auto is_due = [now](Duration limit, Time since) {
    return limit > Duration::zero() && now - since >= limit;
  };
  if (is_due(options.idle_timeout, last_command_)) {
    return disconnect(PartReason::idle);
  }
  if (is_due(options.ping_interval, connection_.last_activity())) {
    deliver(Notice::ping, true);
  }
}

// --- the end ---

void Session::dismiss() {
  if (state_ != State::leaving) leave();
}

void Session::disconnect(PartReason why) {
  if (state_ == State::leaving) return;
  std::string text;
  door_.write_farewell(why, text);
  connection_.send(text);
  leave();
  shard_.submit({{.kind = Request::Kind::gone, .member = id_, .why = why}});
}

void Session::drain() {
  if (state_ == State::leaving) return;
  std::string text;
  door_.write_notice(Notice::going_down, text);
  connection_.send(text);
  leave();
}

void Session::leave() {
  state_ = State::leaving;
  connection_.close();
  arm_after(shard_.reactor(), shard_.options().farewell_timeout);
}

void Session::fire() {
  switch (state_) {
    case State::talking:
      return pump();
    case State::parting:
      return;  // the hub will say goodbye
    case State::leaving:
      return connection_.abort();  // it had its time to read
  }
}

}  // namespace tern::chat
