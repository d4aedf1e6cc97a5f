// kqueue() and kevent() on Linux, so that the kqueue backend runs where no BSD is at hand.
//
// A stand-in for tests and not a library for programs: it favours telling what a BSD would tell,
// awkward parts included, over speed.
//
//   - The descriptor of a kqueue is an epoll instance, so that close() works and nothing leaks. It
//     holds one edge-triggered watch for each descriptor with a filter; its events only say where
//     to look. What is told is found out by looking, see filter.cpp.
//   - Everything else is in one table of the process under one lock, the kernel's. Signals are
//     blocked while it is held, so that a handler may call kevent(), as it may where it is a
//     system call.
//   - Filters go with the descriptor. Linux does not tell of a close(), so a descriptor is
//     compared with what it was whenever its filters are looked at.
//
// Sources: kqueue(2) of FreeBSD 14, OpenBSD 7 and macOS; epoll(7).
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/kqueue/stand_in/filter.hpp"
#include "backends/kqueue/stand_in/refuse.hpp"
#include "backends/kqueue/stand_in/sys/event.h"

namespace tern::stand_in {
namespace {

constexpr std::uint16_t kept_flags = EV_ONESHOT | EV_CLEAR | EV_DISPATCH;
constexpr std::uint64_t poke_mark = UINT64_MAX;

// Always readable: adding it to an epoll instance ends the waits on that. It is there before main()
// so that no test sees a descriptor more after it than before, and it keeps away from the numbers
// of the standard streams, which may be closed.
const int always_ready = [] {
  const int low = ::eventfd(1, EFD_CLOEXEC);
  const int high = ::fcntl(low, F_DUPFD_CLOEXEC, 10);
  if (high < 0) return low;
  ::close(low);
  return high;
}();

struct Key {
  std::uintptr_t ident;
  std::int16_t filter;
  auto operator<=>(const Key&) const = default;
};

struct Knote {
  std::uint64_t serial = 0;
  std::uint16_t flags = 0;   // of kept_flags
  std::uint32_t fflags = 0;  // as they were set
  std::int64_t data = 0;
  void* udata = nullptr;
  bool is_enabled = true;
  bool is_queued = false;
  bool is_triggered = false;  // EVFILT_USER
};

struct Watch {
  Watched watched;
  std::uint32_t serial = 0;
};

class Queue {
 public:
  explicit Queue(int fd) : fd_(fd) {}

  // 0 or an errno value.
  int apply(const struct kevent& change);
  // Edges that the kernel has to tell become entries of the list of those to look at.
  void collect();
  // Looks at each entry once. Returns how many events it wrote.
  int deliver(struct kevent* events, int count);
  // Returns 0, or -1 and errno.
  int wait(std::unique_lock<std::mutex>& lock, const sigset_t& mask, const timespec* limit);

 private:
  struct Entry {
    Key key;
    std::uint64_t serial;
  };

  int watch(int fd);
  void forget(int fd);
  void forget_if_unused(int fd);
  int create(const struct kevent& change);
  void update(const struct kevent& change, Knote& knote);
  Finding look(const Key& key, const Knote& knote) const;
  void enqueue(const Key& key, Knote& knote);
  bool tell(const Entry& entry, struct kevent& event);
  void poke() const;

  int fd_;
  std::map<Key, Knote> knotes_;
  std::map<int, Watch> watches_;
  std::vector<Entry> active_;  // keeps its memory: some tests count allocations
  std::uint64_t last_serial_ = 0;
  int waiting_ = 0;
};

// The lock of everything here, and no signal while it is held.
class Kernel {
 public:
  Kernel() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    lock_ = std::unique_lock(mutex());
  }
  ~Kernel() {
    lock_.unlock();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  std::map<int, std::shared_ptr<Queue>>& queues() {
    static auto* const all = new std::map<int, std::shared_ptr<Queue>>;
    return *all;
  }
  std::unique_lock<std::mutex>& lock() { return lock_; }
  const sigset_t& mask_before() const { return before_; }

 private:
  static std::mutex& mutex() {
    static auto* const one = new std::mutex;
    return *one;
  }

  sigset_t before_{};
  std::unique_lock<std::mutex> lock_;
};

bool is_on_descriptor(std::int16_t filter) {
  return filter == EVFILT_READ || filter == EVFILT_WRITE;
}

// What refuse_changes() has left to refuse, and how.
std::atomic<int> refusals_left = 0;
std::atomic<int> refusal = 0;

// --- changes -------------------------------------------------------------------------------------

int Queue::apply(const struct kevent& change) {
  const Key key{change.ident, change.filter};
  const int fd = static_cast<int>(change.ident);
  if (is_on_descriptor(change.filter)) {
    Watched now;
    if (!now.look(fd)) return EBADF;
    const auto known = watches_.find(fd);
    if (known != watches_.end() && !known->second.watched.is_still_there()) forget(fd);
  } else if (change.filter != EVFILT_USER) {
    return EINVAL;
  }
  if (!knotes_.contains(key)) {
    if ((change.flags & EV_ADD) == 0) return ENOENT;
    const int error = create(change);
    if (error != 0) return error;
  }
  if ((change.flags & EV_DELETE) != 0) {
    knotes_.erase(key);
    if (is_on_descriptor(change.filter)) forget_if_unused(fd);
    return 0;
  }
  Knote& knote = knotes_.at(key);
  update(change, knote);
  if (knote.is_enabled && look(key, knote).fires) {
    enqueue(key, knote);
    poke();
  }
  return 0;
}

int Queue::create(const struct kevent& change) {
  if (refusals_left > 0) {
    --refusals_left;
    return refusal;
  }
  if (is_on_descriptor(change.filter)) {
    const int error = watch(static_cast<int>(change.ident));
    if (error != 0) return error;
  }
  Knote& knote = knotes_[{change.ident, change.filter}];
  knote.serial = ++last_serial_;
  knote.flags = change.flags & kept_flags;
  return 0;
}

void Queue::update(const struct kevent& change, Knote& knote) {
  if (change.filter == EVFILT_USER) {
    const std::uint32_t given = change.fflags & NOTE_FFLAGSMASK;
    switch (change.fflags & NOTE_FFCTRLMASK) {
      case NOTE_FFAND:
        knote.fflags &= given;
        break;
      case NOTE_FFOR:
        knote.fflags |= given;
        break;
      case NOTE_FFCOPY:
        knote.fflags = given;
        break;
      default:
        break;
    }
    if ((change.fflags & NOTE_TRIGGER) != 0) knote.is_triggered = true;
    knote.data = change.data;
  }
  if ((change.flags & EV_ADD) != 0) {
    if (change.filter != EVFILT_USER) {
      knote.fflags = change.fflags;
      knote.data = change.data;
    }
    knote.udata = change.udata;
    knote.is_enabled = true;
  }
  if ((change.flags & EV_ENABLE) != 0) knote.is_enabled = true;
  if ((change.flags & EV_DISABLE) != 0) knote.is_enabled = false;
}

int Queue::watch(int fd) {
  if (watches_.contains(fd)) return 0;
  Watch added;
  if (!added.watched.look(fd)) return EBADF;
  added.serial = static_cast<std::uint32_t>(++last_serial_);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.u64 = std::uint64_t{added.serial} << 32U | static_cast<std::uint32_t>(fd);
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) return errno;
  watches_[fd] = added;
  return 0;
}

// The descriptor was closed, and with it all that was to be heard of it.
void Queue::forget(int fd) {
  for (const std::int16_t filter : {EVFILT_READ, EVFILT_WRITE}) {
    knotes_.erase({static_cast<std::uintptr_t>(fd), filter});
  }
  watches_.erase(fd);
}

void Queue::forget_if_unused(int fd) {
  const auto ident = static_cast<std::uintptr_t>(fd);
  if (knotes_.contains({ident, EVFILT_READ}) || knotes_.contains({ident, EVFILT_WRITE})) return;
  (void)::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);  // fails where it is gone already
  watches_.erase(fd);
}

// --- events --------------------------------------------------------------------------------------

Finding Queue::look(const Key& key, const Knote& knote) const {
  if (key.filter == EVFILT_USER) {
    return {knote.is_triggered, 0, knote.fflags, knote.data};
  }
  const Watched& watched = watches_.at(static_cast<int>(key.ident)).watched;
  const std::int64_t low_water = (knote.fflags & NOTE_LOWAT) != 0 ? knote.data : -1;
  return key.filter == EVFILT_READ ? look_at_input(watched, low_water)
                                   : look_at_output(watched, low_water);
}

void Queue::enqueue(const Key& key, Knote& knote) {
  if (knote.is_queued) return;
  knote.is_queued = true;
  active_.push_back({key, knote.serial});
}

void Queue::collect() {
  std::array<epoll_event, 128> edges;
  int count = 0;
  do {
    count = ::epoll_wait(fd_, edges.data(), edges.size(), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event edge = edges[static_cast<std::size_t>(i)];
      const int fd = static_cast<int>(static_cast<std::uint32_t>(edge.data.u64));
      const auto found = watches_.find(fd);
      if (edge.data.u64 == poke_mark || found == watches_.end()) continue;
      if (found->second.serial != edge.data.u64 >> 32U) continue;
      const auto activate = [&](std::int16_t filter, std::uint32_t reasons) {
        const Key key{static_cast<std::uintptr_t>(fd), filter};
        const auto knote = knotes_.find(key);
        if ((edge.events & reasons) == 0 || knote == knotes_.end()) return;
        if (knote->second.is_enabled) enqueue(key, knote->second);
      };
      activate(EVFILT_READ, EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
      activate(EVFILT_WRITE, EPOLLOUT | EPOLLHUP | EPOLLERR);
    }
  } while (count == static_cast<int>(edges.size()));
}

int Queue::deliver(struct kevent* events, int count) {
  int told = 0;
  const std::size_t size = active_.size();
  std::size_t seen = 0;
  for (; seen < size && told < count; ++seen) {
    const Entry entry = active_[seen];  // by value: telling may add to the list
    if (tell(entry, events[told])) ++told;
  }
  active_.erase(active_.begin(), active_.begin() + static_cast<std::ptrdiff_t>(seen));
  return told;
}

// Whether there is still something to tell, and what becomes of the filter by telling it.
bool Queue::tell(const Entry& entry, struct kevent& event) {
  const auto found = knotes_.find(entry.key);
  if (found == knotes_.end() || found->second.serial != entry.serial) return false;
  Knote& knote = found->second;
  knote.is_queued = false;
  if (!knote.is_enabled) return false;
  const int fd = static_cast<int>(entry.key.ident);
  if (is_on_descriptor(entry.key.filter) && !watches_.at(fd).watched.is_still_there()) {
    forget(fd);
    return false;
  }
  const Finding finding = look(entry.key, knote);
  if (!finding.fires) return false;
  const auto flags = static_cast<std::uint16_t>(knote.flags | finding.flags);
  EV_SET(&event, entry.key.ident, entry.key.filter, flags, finding.fflags, finding.data,
         knote.udata);
  if ((knote.flags & EV_ONESHOT) != 0) {
    knotes_.erase(found);
    if (is_on_descriptor(entry.key.filter)) forget_if_unused(fd);
    return true;
  }
  if ((knote.flags & EV_DISPATCH) != 0) knote.is_enabled = false;
  if ((knote.flags & EV_CLEAR) != 0) {
    knote.is_triggered = false;
  } else if (knote.is_enabled) {
    enqueue(entry.key, knote);  // it is told as long as it is so
  }
  return true;
}

// Who waits looks again. Also from a signal handler: epoll_ctl is a system call.
void Queue::poke() const {
  if (waiting_ == 0) return;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = poke_mark;
  if (::epoll_ctl(fd_, EPOLL_CTL_ADD, always_ready, &event) == 0) return;
  (void)::epoll_ctl(fd_, EPOLL_CTL_MOD, always_ready, &event);
}

int Queue::wait(std::unique_lock<std::mutex>& lock, const sigset_t& mask, const timespec* limit) {
  ++waiting_;
  lock.unlock();
  pollfd entry{fd_, POLLIN, 0};
  const int result = ::ppoll(&entry, 1, limit, &mask);
  int error = result < 0 ? errno : 0;
  if (result > 0 && (entry.revents & POLLNVAL) != 0) error = EBADF;
  lock.lock();
  --waiting_;
  errno = error;
  return error == 0 ? 0 : -1;
}

// --- time ----------------------------------------------------------------------------------------

std::int64_t monotonic_ns() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// What is left of a timeout: until when, or no end.
class Deadline {
 public:
  explicit Deadline(const timespec* timeout) : is_forever_(timeout == nullptr) {
    if (is_forever_) return;
    // Beyond a century the sum would not fit; nobody waits for the difference.
    const std::int64_t seconds = std::min<std::int64_t>(timeout->tv_sec, 3'000'000'000);
    end_ns_ = monotonic_ns() + seconds * 1'000'000'000 + timeout->tv_nsec;
  }
  // Null for no end. Zero when it is over.
  const timespec* left() {
    if (is_forever_) return nullptr;
    const std::int64_t ns = std::max<std::int64_t>(end_ns_ - monotonic_ns(), 0);
    left_ = {ns / 1'000'000'000, ns % 1'000'000'000};
    return &left_;
  }

 private:
  bool is_forever_;
  std::int64_t end_ns_ = 0;
  timespec left_{};
};

bool is_over(const timespec* left) {
  return left != nullptr && left->tv_sec == 0 && left->tv_nsec == 0;
}

int fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

void refuse_changes(int count, int error) {
  refusal = error;
  refusals_left = count;
}

}  // namespace tern::stand_in

extern "C" int kqueue() {
  using namespace tern::stand_in;
  Kernel kernel;
  const int fd = ::epoll_create1(0);
  // A kqueue that had this number has been closed.
  if (fd >= 0) kernel.queues()[fd] = std::make_shared<Queue>(fd);
  return fd;
}

extern "C" int kevent(int kq, const struct kevent* changes, int change_count, struct kevent* events,
                      int event_count, const timespec* timeout) {
  using namespace tern::stand_in;
  if (change_count < 0 || event_count < 0) return fail(EINVAL);
  if (timeout != nullptr &&
      (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1'000'000'000)) {
    return fail(EINVAL);
  }
  Deadline deadline(timeout);
  Kernel kernel;
  const auto found = kernel.queues().find(kq);
  if (found == kernel.queues().end()) return fail(EBADF);
  const std::shared_ptr<Queue> queue = found->second;
  int told = 0;
  for (int i = 0; i < change_count; ++i) {
    // A copy: both lists may be one.
    struct kevent change = changes[i];
    const int error = queue->apply(change);
    if (error == 0 && (change.flags & EV_RECEIPT) == 0) continue;
    if (told == event_count) {
      if (error != 0) return fail(error);
      continue;
    }
    change.flags = EV_ERROR;
    change.data = error;
    events[told++] = change;
  }
  // Errors and receipts end the call; nothing else is told and nothing waited for.
  if (told > 0 || event_count == 0) return told;
  for (;;) {
    queue->collect();
    told = queue->deliver(events, event_count);
    const timespec* left = deadline.left();
    if (told > 0 || is_over(left)) return told;
    if (queue->wait(kernel.lock(), kernel.mask_before(), left) != 0) return -1;
  }
}
