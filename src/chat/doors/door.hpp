// Door: how members speak to the chat and read it; one for each protocol that they speak.
//
//     bytes ──► DoorReader ──► Command ──► Hub ──► Event ──► Door ──► bytes
//
//   Nobody else knows a protocol: the hub, its runner, shards and sessions pass commands and
//   events. What is broadcast in a room is written once for each door through which somebody came
//   to it, and all of those members share the bytes. So what a door writes depends on the event
//   alone; a protocol that comes in several dialects is a door for each of them.
//
//   OWNERSHIP  Outlives the service; makes readers, which belong to who asked for them.
//   THREAD     All reactors write through one door side by side, so it has no state. A reader is
//              its member's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "src/chat/hub/hub.hpp"

namespace tern::chat {

// What one member has sent and no command was made of yet. Bounded by its door.
class DoorReader {
 public:
  virtual ~DoorReader() = default;
  virtual void feed(std::string_view bytes) = 0;
  // False: more bytes are wanted. What is no good command comes as Command::Kind::answer, so that
  // what the door says to it keeps its place among other answers.
  virtual bool next(Command& command) = 0;
  // The same once nothing more comes: what has no end ends here.
  virtual bool finish(Command& command) = 0;
  virtual std::size_t held_bytes() const = 0;
};

// What a session says by itself, without the hub.
enum class Notice : std::uint8_t {
  ping,        // so that what is in between does not take the connection for dead
  slow_down,   // what it sends waits from now on
  going_down,  // the server ends
};

// Neither a notice nor a farewell is longer.
inline constexpr std::size_t notice_bytes_max = 8192;

class Door {
 public:
  virtual ~Door() = default;
  virtual std::unique_ptr<DoorReader> make_reader() const = 0;
  // These append to `out`.
  virtual void write(const Event& event, std::string& out) const = 0;
  virtual void write_notice(Notice notice, std::string& out) const = 0;
  // To who is being disconnected: REQUIRES a reason that has a farewell (part_reason.hpp).
  virtual void write_farewell(PartReason reason, std::string& out) const = 0;
};

}  // namespace tern::chat
