// What the fan-out peers in C share: who is in the room, and the lines in what somebody sends. A
// line goes as it came to everybody but its sender. Nothing is without a limit: a line that is too
// long ends its sender, and a member that leaves too much unread is ended, as tern's chat does.
#pragma once

#include "peer.h"

#include <stdbool.h>

enum {
  room_members_max = 65536,
  room_line_bytes_max = 4096,
  room_unsent_bytes_max = 256 * 1024  // of one member
};

// Comes first in each peer's own connection: a pointer to one is a pointer to the other.
struct Member {
  size_t place;  // in the room
  char* begun;   // of a line whose end has not come; NULL until a line comes in pieces
  size_t begun_bytes;
};

static struct Member* room[room_members_max];
static size_t room_size;

// Returns whether there was room.
static inline bool room_join(struct Member* member) {
  if (room_size == room_members_max) return false;
  member->place = room_size;
  room[room_size++] = member;
  return true;
}

static inline void room_leave(struct Member* member) {
  struct Member* last = room[--room_size];
  last->place = member->place;
  room[last->place] = last;
  free(member->begun);
  member->begun = NULL;
  member->begun_bytes = 0;
}

typedef void (*RoomTell)(struct Member* member, const char* line, size_t bytes);

// Everybody but the sender hears the line. Whom `tell` finds gone may leave the room meanwhile: the
// last takes its place, and that one has heard it.
static inline void room_tell(const struct Member* sender, const char* line, size_t bytes,
                             RoomTell tell) {
  for (size_t place = room_size; place-- > 0;) {
    if (room[place] != sender) tell(room[place], line, bytes);
  }
}

static inline bool room_keep(struct Member* sender, const char* bytes, size_t count) {
  if (sender->begun == NULL) sender->begun = malloc(room_line_bytes_max);
  if (sender->begun == NULL) return false;
  memcpy(sender->begun + sender->begun_bytes, bytes, count);
  sender->begun_bytes += count;
  return true;
}

typedef void (*RoomSay)(struct Member* sender, const char* line, size_t bytes);

// Says each line that ends in what was received. Returns whether the sender may stay.
static inline bool room_hear(struct Member* sender, const char* bytes, size_t count, RoomSay say) {
  const char* end = bytes + count;
  while (bytes < end) {
    const char* newline = memchr(bytes, '\n', (size_t)(end - bytes));
    const char* next = newline == NULL ? end : newline + 1;
    const size_t line_bytes = (size_t)(next - bytes);
    if (sender->begun_bytes + line_bytes > room_line_bytes_max) return false;
    if (newline != NULL && sender->begun_bytes == 0) {
      say(sender, bytes, line_bytes);
    } else {
      if (!room_keep(sender, bytes, line_bytes)) return false;
      if (newline == NULL) return true;
      say(sender, sender->begun, sender->begun_bytes);
      sender->begun_bytes = 0;
    }
    bytes = next;
  }
  return true;
}
