// Session: one member's connection: its commands in, within its limits; what it hears out.
//
//   talking   commands are read and go to the hub
//   parting   it has said all (/quit, or the end of its input); the hub has been told
//   leaving   nothing is heard or said any more; what is queued may leave, for a time
//
//   A command waits while too many are on their way to the hub (in_flight_max), while there is no
//   token for it, or when this turn has read enough; the connection is paused meanwhile, so that
//   the kernel's window closes and the sender itself waits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/chat/doors/door.hpp"
#include "src/chat/service/delivery.hpp"
#include "src/support/token_bucket.hpp"
#include "tern/connection.hpp"
#include "tern/timer.hpp"

namespace tern::chat {

class ChatShard;

class Session final : public Timer {
 public:
  // What it is one of, and where in the shard's list of that audience.
  struct Place {
    AudienceId audience;
    std::size_t index;
  };

  Session(ChatShard& shard, const Door& door, Connection& connection, MemberId id);

  MemberId id() const { return id_; }
  // The hub does not know it any more, or has been told that it is gone.
  bool hub_has_let_go() const { return state_ == State::leaving; }
  std::vector<Place>::iterator place_in(AudienceId audience);

  // --- from the connection
  void received(std::string_view bytes);
  void ended();

  // --- from the hub
  void deliver(const SharedBuffer& buffer, bool is_presence);
  void acknowledge(std::size_t count);
  void dismiss();

  // Of a member that has been silent for long.
  void check_timeouts(Time now);
  // The server is going down.
  void drain();

  std::vector<Place> places;

 private:
  enum class State : std::uint8_t { talking, parting, leaving };

  void fire() override;
  void pump();
  bool next_command(Command& command);
  bool may_go_on();
  void wait_for_token(Time now);
  void deliver(Notice notice, bool is_presence);
  void disconnect(PartReason why);
  void leave();

  ChatShard& shard_;
  const Door& door_;
  Connection& connection_;
  const MemberId id_;
  const std::unique_ptr<DoorReader> reader_;
  support::TokenBucket bucket_;
  Time last_command_;
  Time slowed_since_{};  // the epoch: it is not
  std::size_t in_flight_ = 0;
  State state_ = State::talking;
  bool input_ended_ = false;
  bool waits_ = false;  // there may be commands that wait
};

}  // namespace tern::chat
