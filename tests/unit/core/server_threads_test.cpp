// A server for which the system has too few threads. With glibc the size of a thread's stack and
// the address space of the process say how many can be begun.
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>

#include "tern/server.hpp"
#include "tests/support/stage.hpp"
#include "tools/tern/echo/protocol.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// While it lives, one more thread can be begun, and no second one: stacks are larger than any that
// could be used again, and there is room for one and three quarters of them (a thread also has a
// heap). Some sanitizers take room of their own, and then there is not even that one.
class ThreadShortage {
 public:
  ThreadShortage() {
    pthread_attr_t attributes;
    pthread_getattr_default_np(&attributes);
    pthread_attr_getstacksize(&attributes, &stack_bytes_before_);
    pthread_attr_destroy(&attributes);
    getrlimit(RLIMIT_AS, &before_);
    is_there_ = set_stack_bytes(stack_bytes);
    rlimit scarce = before_;
    scarce.rlim_cur = address_space_bytes() + stack_bytes / 4 * 7;
    is_there_ = setrlimit(RLIMIT_AS, &scarce) == 0 && is_there_;
  }
  ~ThreadShortage() {
    setrlimit(RLIMIT_AS, &before_);
    set_stack_bytes(stack_bytes_before_);
  }
  ThreadShortage(const ThreadShortage&) = delete;
  ThreadShortage& operator=(const ThreadShortage&) = delete;

  bool is_there() const { return is_there_; }

 private:
  static constexpr std::size_t stack_bytes = std::size_t{256} << 20;

  static bool set_stack_bytes(std::size_t bytes) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    const bool is_set = pthread_attr_setstacksize(&attributes, bytes) == 0 &&
                        pthread_setattr_default_np(&attributes) == 0;
    pthread_attr_destroy(&attributes);
    return is_set;
  }
  static rlim_t address_space_bytes() {
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  }

  rlimit before_{};
  std::size_t stack_bytes_before_ = 0;
  bool is_there_ = false;
};

}  // namespace

TEST_CASE("server life: without threads for all workers, none is left running") {
  ServerOptions options;
  options.workers = 4;
  const auto task = std::make_shared<int>();
  {
    Server server(options);
    const Endpoint where = server.listen(loopback(), [&](Reactor& reactor) {
      reactor.post([task] {});
      return std::make_unique<tool::Echo>();
    });
    {
      const ThreadShortage shortage;
      REQUIRE(shortage.is_there());
      try {
        server.start();
        FAIL("it was started");
      } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::resource_unavailable_try_again);
      }
    }
    // Numbers do not wait for a worker that was never begun.
    CHECK(server.counters().size() == 4);
    CHECK(server.connections() == std::vector<std::size_t>{0, 0, 0, 0});
    server.drain(1h);
    server.stop();
    server.join();
    CHECK_THROWS_WITH_AS(server.start(), doctest::Contains("start(): "), std::system_error);
    CHECK_THROWS_WITH_AS(
        server.listen(where, [](Reactor&) { return std::make_unique<tool::Echo>(); }),
        doctest::Contains("listen() on "), std::system_error);
  }
  CHECK(task.use_count() == 1);
}
