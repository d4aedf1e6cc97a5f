// kqueue() and kevent() as their page describes them: changes, flags, errors, timeouts. What the
// backend relies on is here; the filters of sockets are in filter_test.cpp. On Linux these are the
// tests of the stand-in, on a BSD they say whether the stand-in tells the truth.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/kqueue/kqueue_case.hpp"

namespace tern::test {
namespace {

constexpr timespec at_once{0, 0};

// Events as (filter, is it this descriptor): what a test compares.
std::size_t count_of(const std::vector<struct kevent>& events, int filter) {
  std::size_t count = 0;
  for (const struct kevent& event : events) count += event.filter == filter ? 1U : 0U;
  return count;
}

}  // namespace

TEST_CASE("kevent: an error of a change is an event where there is room, and ends the call") {
  const Queue queue;
  const Pair pair = local_pair();
  pair.far.write("x");
  int own = 0;
  const std::array<struct kevent, 4> changes = {
      change(pair.near, EVFILT_READ, EV_DELETE, 0, 0, &own),  // never added
      change(pair.near, EVFILT_READ, EV_ADD),
      change(1'000'000, EVFILT_READ, EV_ADD),  // no such descriptor
      change(pair.near, 77, EV_ADD),           // no such filter
  };
  std::array<struct kevent, 8> events{};
  const timespec forever{1000, 0};
  REQUIRE(::kevent(queue.fd(), changes.data(), 4, events.data(), 8, &forever) == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK((events[i].flags & EV_ERROR) != 0);
  CHECK(events[0].data == ENOENT);
  CHECK(events[0].udata == &own);
  CHECK(events[1].data == EBADF);
  CHECK(events[1].ident == 1'000'000);
  CHECK(events[2].data == EINVAL);
  // The change between the wrong ones was made.
  only(queue.look(), EVFILT_READ);
}

TEST_CASE("kevent: without room for it an error is the call's") {
  const Queue queue;
  const Pair pair = local_pair();
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == ENOENT);
  CHECK(queue.make(change(pair.near, EVFILT_WRITE, EV_ENABLE)) == ENOENT);
  CHECK(queue.make(change(1'000'000, EVFILT_READ, EV_ADD)) == EBADF);
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == 0);
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == ENOENT);
}

TEST_CASE("kevent: receipts are all that is told, and both lists may be one") {
  const Queue queue;
  const Pair pair = local_pair();
  pair.far.write("x");
  int own = 0;
  std::array<struct kevent, 3> list = {
      change(pair.near, EVFILT_READ, EV_ADD | EV_RECEIPT, 0, 0, &own),
      change(1'000'000, EVFILT_READ, EV_ADD | EV_RECEIPT),
      change(pair.near, EVFILT_WRITE, EV_ADD | EV_RECEIPT),
  };
  REQUIRE(::kevent(queue.fd(), list.data(), 3, list.data(), 3, nullptr) == 3);
  for (const struct kevent& receipt : list) CHECK((receipt.flags & EV_ERROR) != 0);
  CHECK(list[0].data == 0);
  CHECK(list[0].udata == &own);
  CHECK(list[1].data == EBADF);
  CHECK(list[2].data == 0);
  CHECK(queue.look().size() == 2);
}

TEST_CASE("kevent: no room for events means no waiting for them") {
  const Queue queue;
  CHECK(::kevent(queue.fd(), nullptr, 0, nullptr, 0, nullptr) == 0);
}

TEST_CASE("kevent: arguments that are wrong") {
  const Queue queue;
  struct kevent event {};
  for (const timespec wrong : {timespec{-1, 0}, timespec{0, -1}, timespec{0, 1'000'000'000}}) {
    CHECK(::kevent(queue.fd(), nullptr, 0, &event, 1, &wrong) == -1);
    CHECK(errno == EINVAL);
  }
  CHECK(::kevent(1'000'000, nullptr, 0, &event, 1, &at_once) == -1);
  CHECK(errno == EBADF);
}

TEST_CASE("kevent: a timeout is never early") {
  const Queue queue;
  struct kevent event {};
  for (const long nanoseconds : {1L, 1'000L, 100'000L, 1'500'000L, 20'000'000L}) {
    const timespec limit{0, nanoseconds};
    const auto start = std::chrono::steady_clock::now();
    CHECK(::kevent(queue.fd(), nullptr, 0, &event, 1, &limit) == 0);
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::nanoseconds(nanoseconds));
  }
}

TEST_CASE("kevent: a descriptor has an event for each filter") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
  pair.far.write("x");
  const auto events = queue.wait();
  CHECK(events.size() == 2);
  CHECK(count_of(events, EVFILT_READ) == 1);
  CHECK(count_of(events, EVFILT_WRITE) == 1);
}

TEST_CASE("kevent: a filter tells as long as it is so") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  CHECK(queue.look().empty());
  pair.far.write("abc");
  for (int round = 0; round < 3; ++round) CHECK(only(queue.look(), EVFILT_READ).data == 3);
  CHECK(pair.near.read(2) == 2);
  CHECK(only(queue.look(), EVFILT_READ).data == 1);
  CHECK(pair.near.read(2) == 1);
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: EV_CLEAR tells each piece of news once") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  pair.far.write("abc");
  CHECK((only(queue.look(), EVFILT_READ).flags & EV_CLEAR) != 0);
  CHECK(queue.look().empty());
  pair.far.write("de");
  CHECK(only(queue.look(), EVFILT_READ).data == 5);
  // News that is no longer so when it would be told is not told.
  pair.far.write("f");
  CHECK(pair.near.read(10) == 6);
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: EV_ONESHOT is over when it has told") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_ONESHOT)) == 0);
  pair.far.write("x");
  only(queue.look(), EVFILT_READ);
  CHECK(queue.look().empty());
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == ENOENT);
}

TEST_CASE("kevent: EV_DISPATCH is disabled when it has told") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_DISPATCH)) == 0);
  pair.far.write("x");
  only(queue.look(), EVFILT_READ);
  pair.far.write("y");
  CHECK(queue.look().empty());
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ENABLE | EV_DISPATCH)) == 0);
  CHECK(only(queue.look(), EVFILT_READ).data == 2);
}

TEST_CASE("kevent: what is disabled is kept until it is enabled") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR | EV_DISABLE)) == 0);
  pair.far.write("x");
  CHECK(queue.look().empty());
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ENABLE)) == 0);
  only(queue.look(), EVFILT_READ);
  CHECK(queue.look().empty());
  pair.far.write("y");
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_DISABLE)) == 0);
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: adding again changes what is there") {
  const Queue queue;
  const Pair pair = local_pair();
  int first = 0;
  int second = 0;
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, &first)) == 0);
  pair.far.write("x");
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, &second)) == 0);
  CHECK(only(queue.look(), EVFILT_READ).udata == &second);
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: a filter that is deleted has nothing more to say") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_WRITE, EV_ADD | EV_CLEAR)) == 0);
  pair.far.write("x");
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == 0);
  only(queue.look(), EVFILT_WRITE);
  pair.far.write("y");
  CHECK(count_of(queue.look(), EVFILT_READ) == 0);
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_CLEAR)) == 0);
  CHECK(count_of(queue.look(), EVFILT_READ) == 1);
}

TEST_CASE("kevent: what finds no room is told by the next call, each in its turn") {
  const Queue queue;
  std::vector<Pair> pairs;
  for (int i = 0; i < 5; ++i) {
    pairs.push_back(local_pair());
    REQUIRE(queue.make(change(pairs.back().near, EVFILT_READ, EV_ADD)) == 0);
    pairs.back().far.write("x");
  }
  std::vector<std::uintptr_t> heard;
  for (int i = 0; i < 5; ++i) heard.push_back(only(queue.look(1), EVFILT_READ).ident);
  std::sort(heard.begin(), heard.end());
  CHECK(std::unique(heard.begin(), heard.end()) == heard.end());
}

TEST_CASE("kevent: closing a descriptor takes its filters along, told or not") {
  const Queue queue;
  Pair pair = local_pair();
  REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  pair.far.write("x");
  only(queue.look(), EVFILT_READ);
  const int number = pair.near.get();
  const Descriptor duplicate(::dup(number));
  pair.near.close();
  CHECK(queue.look().empty());
  pair.far.write("y");
  CHECK(queue.look().empty());
  // The number begins anew.
  const Pair other = local_pair();
  const Descriptor reused(::dup2(other.near.get(), number));
  REQUIRE(reused.get() == number);
  other.far.write("z");
  CHECK(queue.look().empty());
  CHECK(queue.make(change(reused, EVFILT_READ, EV_DELETE)) == ENOENT);
  REQUIRE(queue.make(change(reused, EVFILT_READ, EV_ADD)) == 0);
  CHECK(only(queue.look(), EVFILT_READ).data == 1);
}

TEST_CASE("kevent: a queue forgets everything when it is closed") {
  const Pair pair = local_pair();
  pair.far.write("x");
  int number = -1;
  {
    const Queue queue;
    number = queue.fd();
    REQUIRE(queue.make(change(pair.near, EVFILT_READ, EV_ADD)) == 0);
  }
  const Queue queue;
  CHECK(queue.fd() == number);
  CHECK(queue.look().empty());
}

// --- EVFILT_USER ---------------------------------------------------------------------------------

TEST_CASE("kevent: a user event comes when it is triggered, and many triggers make one") {
  const Queue queue;
  int own = 0;
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, &own)) == 0);
  CHECK(queue.look().empty());
  for (int i = 0; i < 3; ++i) REQUIRE(queue.make(change(5, EVFILT_USER, 0, NOTE_TRIGGER)) == 0);
  const struct kevent event = only(queue.look(), EVFILT_USER);
  CHECK(event.ident == 5);
  CHECK(event.udata == &own);
  CHECK(queue.look().empty());
  CHECK(queue.make(change(6, EVFILT_USER, 0, NOTE_TRIGGER)) == ENOENT);
}

TEST_CASE("kevent: a user event without EV_CLEAR tells for ever") {
  const Queue queue;
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_ADD)) == 0);
  REQUIRE(queue.make(change(5, EVFILT_USER, 0, NOTE_TRIGGER)) == 0);
  for (int i = 0; i < 3; ++i) only(queue.look(), EVFILT_USER);
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_DELETE)) == 0);
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: a user event carries flags of its own") {
  const Queue queue;
  const auto told_after = [&](unsigned notes) {
    REQUIRE(queue.make(change(5, EVFILT_USER, 0, notes | NOTE_TRIGGER)) == 0);
    return only(queue.look(), EVFILT_USER).fflags;
  };
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_ADD)) == 0);
  CHECK(told_after(NOTE_FFCOPY | 0x06) == 0x06);
  CHECK(told_after(NOTE_FFOR | 0x01) == 0x07);
  CHECK(told_after(NOTE_FFAND | 0x03) == 0x03);
  CHECK(told_after(NOTE_FFNOP | 0xff) == 0x03);
}

TEST_CASE("kevent: a trigger from another thread ends the wait") {
  const Queue queue;
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_ADD | EV_CLEAR)) == 0);
  for (int round = 0; round < 200; ++round) {
    std::thread other([&] { (void)queue.make(change(5, EVFILT_USER, 0, NOTE_TRIGGER)); });
    only(queue.wait(), EVFILT_USER);
    other.join();
  }
  CHECK(queue.look().empty());
}

TEST_CASE("kevent: a change from another thread ends the wait, too") {
  const Queue queue;
  const Pair pair = local_pair();
  pair.far.write("x");
  for (int round = 0; round < 200; ++round) {
    std::thread other(
        [&] { (void)queue.make(change(pair.near, EVFILT_READ, EV_ADD | EV_ONESHOT)); });
    only(queue.wait(), EVFILT_READ);
    other.join();
  }
}

// --- signals -------------------------------------------------------------------------------------

namespace {
int signalled_queue = -1;
int signals_left = 0;

void on_signal(int) {
  const int errno_before = errno;
  const struct kevent trigger = change(5, EVFILT_USER, 0, NOTE_TRIGGER);
  (void)::kevent(signalled_queue, &trigger, 1, nullptr, 0, nullptr);
  --signals_left;
  errno = errno_before;
}
}  // namespace

TEST_CASE("kevent: a signal ends the wait; the changes are made, and a handler may trigger") {
  const Queue queue;
  const Pair pair = local_pair();
  REQUIRE(queue.make(change(5, EVFILT_USER, EV_ADD | EV_CLEAR)) == 0);
  signalled_queue = queue.fd();
  signals_left = 1;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = on_signal;
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  const pthread_t self = ::pthread_self();
  std::thread other([&] { (void)::pthread_kill(self, SIGUSR1); });
  const struct kevent added = change(pair.near, EVFILT_READ, EV_ADD);
  std::array<struct kevent, 4> events{};
  const timespec limit{10, 0};
  // Interrupted, or the trigger was there first: both may be.
  const int count = ::kevent(queue.fd(), &added, 1, events.data(), 4, &limit);
  if (count < 0) {
    CHECK(errno == EINTR);
    only(queue.look(), EVFILT_USER);
  } else {
    REQUIRE(count == 1);
    CHECK(events[0].filter == EVFILT_USER);
  }
  other.join();
  CHECK(signals_left == 0);
  CHECK(queue.make(change(pair.near, EVFILT_READ, EV_DELETE)) == 0);
  REQUIRE(::sigaction(SIGUSR1, &before, nullptr) == 0);
}

}  // namespace tern::test
