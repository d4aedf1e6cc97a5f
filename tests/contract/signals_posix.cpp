// Signals against the poller: they interrupt its calls, and their handlers may wake it.
//
// POSIX only: other systems have no signals that interrupt a system call. The cases are those of
// every backend here; on a simulated network they show that signals do not matter to it.
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "tests/contract/support/contract_case.hpp"

namespace tern::test {
namespace {

std::atomic<int> signals = 0;
std::atomic<void*> woken = nullptr;
void (*wake_it)(void*) = nullptr;

void on_alarm(int) {
  const int errno_before = errno;
  ++signals;
  if (void* poller = woken.load()) wake_it(poller);
  errno = errno_before;
}

// SIGALRM every 200 us, without SA_RESTART: every call that can be interrupted will be.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action {};
    action.sa_handler = on_alarm;
    if (sigaction(SIGALRM, &action, &action_before_) != 0) {
      throw std::system_error(errno, std::generic_category(), "sigaction SIGALRM");
    }
    signals = 0;
    set_interval(200);
  }
  ~SignalStorm() {
    set_interval(0);
    (void)sigaction(SIGALRM, &action_before_, nullptr);  // it was in force before, so it is valid
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

 private:
  static void set_interval(suseconds_t microseconds) {
    const itimerval timer{{0, microseconds}, {0, microseconds}};
    (void)setitimer(ITIMER_REAL, &timer, nullptr);  // cannot fail with values below a second
  }

  struct sigaction action_before_ {};
};

}  // namespace

// A wait that is interrupted is an early return with nothing: the limit is reached by waiting
// again, and not before its time.
CONTRACT_CASE(waits_in_a_signal_storm) {
  Loop loop;
  const SignalStorm storm;
  loop.turn(Duration::zero());
  for (int round = 0; round < 20; ++round) {
    const Time end = loop.poller().now() + 3ms;
    for (std::size_t waits = 0; loop.poller().now() < end; ++waits) {
      EXPECT_NOTE(waits < 10'000, "the poller spins");
      EXPECT_EQUAL(loop.turn(end - loop.poller().now()), 0U);
    }
  }
}

CONTRACT_CASE(traffic_in_a_signal_storm) {
  Loop loop;
  const SignalStorm storm;
  End& listener = loop.listen();
  for (int round = 0; round < 30; ++round) {
    auto [client, server] = loop.pair_through(listener);
    const std::string text = Pattern(run.seed()).text(0, 1'000'000);
    loop.receive(server);
    loop.write(client, text);
    loop.finish_sending(client);
    loop.until([&server = server] { return server.finished(); }, "the end");
    EXPECT(server.received == text);
    loop.close_and_forget(client);
    loop.close_and_forget(server);
  }
  End& from = loop.datagram();
  End& to = loop.datagram(loopback(), loop.local(from));
  loop.receive(to);
  const std::array<Datagram, 1> datagram = {Datagram{bytes_of("one"), loop.local(to), false}};
  for (std::size_t sent = 1; sent <= 500; ++sent) {
    loop.send_datagrams(from, datagram);
    loop.until([&] { return to.datagrams.size() == sent; }, "the datagram");
  }
}

// wake() from the handler: waits without a limit come back. The storm outlives many of them.
CONTRACT_CASE(wake_from_a_signal_handler) {
  Loop loop;
  wake_it = [](void* poller) { static_cast<AnyPoller*>(poller)->wake(); };
  woken = &loop.poller();
  {
    const SignalStorm storm;
    for (std::size_t turns = 0; signals < 50; ++turns) {
      EXPECT_NOTE(turns < 1'000'000, "the poller spins");
      loop.turn(forever);
    }
  }
  woken = nullptr;
  EXPECT(loop.counters().wakes > 0);
}

}  // namespace tern::test
