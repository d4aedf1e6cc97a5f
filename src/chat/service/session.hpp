// Session: one member's connection: its lines in, within its limits; what it hears out.
//
//   talking   lines are read and go to the hub
//   parting   it has said all (/quit, or the end of its input); the hub has been told
//   leaving   nothing is heard or said any more; what is queued may leave, for a time
//
//   A line waits while too many are on their way to the hub (in_flight_max), while there is no
//   token for it, or when this turn has read enough; the connection is paused meanwhile, so that
//   the kernel's window closes and the sender itself waits.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/delivery.hpp"
#include "src/support/line_reader.hpp"
#include "src/support/token_bucket.hpp"
#include "tern/connection.hpp"
#include "tern/timer.hpp"

namespace tern::chat {

class ChatShard;

inline constexpr std::string_view going_down = "the server is going down; goodbye";

class Session final : public Timer {
 public:
  // A room that it is in, and where in the shard's list of that room.
  struct Place {
    RoomId room;
    std::size_t index;
  };

  Session(ChatShard& shard, Connection& connection, MemberId id);

  MemberId id() const { return id_; }
  // The hub does not know it any more, or has been told that it is gone.
  bool hub_has_let_go() const { return state_ == State::leaving; }
  std::vector<Place>::iterator place_in(RoomId room);

  // --- from the connection
  void received(std::string_view bytes);
  void ended();

  // --- from the hub
  void deliver(const SharedBuffer& buffer, bool is_presence);
  void acknowledge(std::size_t count);
  void dismiss();

  // Of a member that has been silent for long.
  void check_timeouts(Time now);
  void say_goodbye(std::string_view text);

  std::vector<Place> places;

 private:
  enum class State : std::uint8_t { talking, parting, leaving };

  void fire() override;
  void pump();
  bool next_command(Command& command);
  bool may_go_on();
  void wait_for_token(Time now);
  void disconnect(PartReason why);
  void leave();

  ChatShard& shard_;
  Connection& connection_;
  const MemberId id_;
  support::LineReader reader_{line_bytes_max};
  support::TokenBucket bucket_;
  Time last_line_;
  Time slowed_since_{};  // the epoch: it is not
  std::size_t in_flight_ = 0;
  State state_ = State::talking;
  bool input_ended_ = false;
  bool waits_ = false;  // there may be lines that wait
};

}  // namespace tern::chat
