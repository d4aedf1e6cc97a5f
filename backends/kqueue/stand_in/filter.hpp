// What a kqueue filter finds at a descriptor at this moment, asked of Linux.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace tern::stand_in {

enum class Kind : std::uint8_t { stream, listener, datagram, other };

// A descriptor as it was when a filter was put on it. The number may have been closed and given to
// something else since then; a kqueue forgets its filters when that happens.
struct Watched {
  int fd = -1;
  Kind kind = Kind::other;
  dev_t device = 0;
  ino_t inode = 0;

  // Looks at the descriptor. False, with errno, when it is not open.
  bool look(int descriptor);
  bool is_still_there() const;
};

// `fires`: the event is to be told. The rest is what it says, see kqueue(2).
struct Finding {
  bool fires = false;
  std::uint16_t flags = 0;
  std::uint32_t fflags = 0;
  std::int64_t data = 0;
};

// `low_water`: NOTE_LOWAT's number, or less than 0 where it is the socket's own.
Finding look_at_input(const Watched& watched, std::int64_t low_water);
Finding look_at_output(const Watched& watched, std::int64_t low_water);

}  // namespace tern::stand_in
