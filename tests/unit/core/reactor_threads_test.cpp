// The reactor and other threads. Only on kernels: a simulated network belongs to one thread, and
// its waits take no real time in which another thread could do something.
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/support/stage.hpp"

using namespace tern;
using namespace tern::test;

TEST_CASE("reactor threads: eight threads post a hundred thousand tasks each, once and in order") {
  constexpr std::size_t threads = 8;
  const std::size_t each = 100'000;
  Reactor reactor;
  std::array<std::size_t, threads> next{};
  std::size_t total = 0;
  bool in_order = true;
  std::vector<std::thread> posters;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    posters.emplace_back([&, thread] {
      for (std::size_t i = 0; i < each; ++i) {
        reactor.post([&, thread, i] {
          in_order = in_order && next[thread] == i;
          ++next[thread];
          if (++total == threads * each) reactor.stop();
        });
      }
    });
  }
  reactor.run();
  for (std::thread& poster : posters) poster.join();
  CHECK(total == threads * each);
  CHECK(in_order);
  CHECK(reactor.counters().tasks == threads * each);
  // Many posts between two turns make one wake.
  CHECK(reactor.counters().wakes <= reactor.counters().waits);
}

TEST_CASE("reactor threads: posts while the reactor is about to sleep are not lost") {
  Reactor reactor;
  // Not std::atomic::wait(): with winpthreads libstdc++ 12 loses some of its notices.
  std::mutex mutex;
  std::condition_variable changed;
  int answered = 0;
  std::thread loop([&] { reactor.run(); });
  for (int i = 1; i <= 20'000; ++i) {
    reactor.post([&] {
      const std::lock_guard lock(mutex);
      ++answered;
      changed.notify_one();
    });
    // Waits until it ran, so that the next post finds the reactor asleep or on its way there.
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answered == i; });
  }
  reactor.stop();
  loop.join();
  CHECK(answered == 20'000);
}

TEST_CASE("reactor threads: stop() from another thread, before and while it runs") {
  for (int round = 0; round < 500; ++round) {
    Reactor reactor;
    std::thread stopper([&] { reactor.stop(); });
    reactor.run();
    stopper.join();
  }
}

TEST_CASE("reactor threads: tasks posted while it is being left are run or destroyed") {
  std::atomic<int> living{0};
  struct Alive {
    explicit Alive(std::atomic<int>& living_of) : count(&living_of) { ++*count; }
    Alive(Alive&& other) noexcept : count(other.count) { ++*count; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --*count; }
    std::atomic<int>* count;
  };
  for (int round = 0; round < 50; ++round) {
    Reactor reactor;
    std::thread poster([&] {
      for (int i = 0; i < 1000; ++i) reactor.post([alive = Alive(living)] {});
    });
    reactor.stop();
    reactor.run();
    poster.join();
  }
  CHECK(living.load() == 0);
}
