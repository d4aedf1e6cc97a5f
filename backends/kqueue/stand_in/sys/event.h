// <sys/event.h> of the stand-in: the interface that kqueue(2) of the BSDs describes, for sockets,
// pipes, EVFILT_USER and timeouts. A program that needs what it does not have does not compile.
#pragma once

// As such it is not warned about: a function and a structure of one name are as the page has them.
#pragma GCC system_header

#include <stdint.h>
#include <time.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-11)

// Actions.
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
// Flags.
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
// Returned values. EV_FLAG1 has a meaning of its own for each filter.
#define EV_FLAG1 0x2000
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

// EVFILT_READ and EVFILT_WRITE: `data` is how much there must be.
#define NOTE_LOWAT 0x0001
// EVFILT_USER.
#define NOTE_FFNOP 0x00000000
#define NOTE_FFAND 0x40000000
#define NOTE_FFOR 0x80000000
#define NOTE_FFCOPY 0xc0000000
#define NOTE_FFCTRLMASK 0xc0000000
#define NOTE_FFLAGSMASK 0x00ffffff
#define NOTE_TRIGGER 0x01000000

#define EV_SET(target, identity, which, what, notes, number, own) \
  do {                                                            \
    (target)->ident = (identity);                                 \
    (target)->filter = (which);                                   \
    (target)->flags = (what);                                     \
    (target)->fflags = (notes);                                   \
    (target)->data = (number);                                    \
    (target)->udata = (own);                                      \
  } while (0)

struct kevent {
  uintptr_t ident;
  int16_t filter;
  uint16_t flags;
  uint32_t fflags;
  int64_t data;
  void* udata;
};

#ifdef __cplusplus
extern "C" {
#endif

int kqueue(void);
int kevent(int kq, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const struct timespec* timeout);

#ifdef __cplusplus
}
#endif
