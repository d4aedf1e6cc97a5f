// Reactor: one event loop on one thread.
//
//   One turn:
//        ┌─► due timers ─► posted tasks ─► flush queued output ─► wait ─► completions ─┐
//        └────────────────────────────────────────────────────────────────────────────┘
//   Time is read once a turn, right after the wait.
//
//   OWNERSHIP  Owns its poller, its timer wheel and the connections made on it. Destroying it
//              aborts what is still open; their protocols hear closed().
//   THREAD     run(), turn() and everything not marked otherwise belong to one thread; post(),
//              stop() and wake() may be called from any.
//   ERRORS     The constructor throws std::system_error; nothing else throws.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tern/counters.hpp"
#include "tern/export.hpp"
#include "tern/time.hpp"

namespace tern {

struct ReactorOptions {
  // The shared receive buffer: the most that one receive delivers. 1 to 16 Mi bytes.
  std::size_t receive_bytes = 64 * 1024;
  // Room for one received datagram; a longer one is truncated and says so. 1 to 65,536 bytes.
  std::size_t datagram_bytes = 65'536;
};

class TERN_API Reactor {
 public:
  explicit Reactor(const ReactorOptions& options = {});
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Turns until stop(). May be called again afterwards.
  void run();
  // One turn, for tests and for embedding in another loop. Waits at most `limit`, and not at all
  // if a timer fired or a task ran before. Returns whether anything was done: those or completions.
  bool turn(Duration limit);
  // Ends run() after the current turn; a stop before run() makes it return at once. Any thread.
  void stop();

  // Runs `task` once on the reactor's thread, in a coming turn, in the order of posting per thread.
  // Allocates. Tasks still queued when the reactor is destroyed are destroyed unrun, and so is what
  // their destructors post. Any thread.
  template <class F>
  void post(F&& task) {
    post_task(new FunctionTask<std::decay_t<F>>(std::forward<F>(task)));
  }

  // The time of the current turn.
  Time now() const;
  const Counters& counters() const;
  // The mechanism this library was built with: "epoll", "io_uring", ...
  static std::string_view poller_name();

  // A posted task in the mailbox's list.
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
    Task* next = nullptr;
  };

  // Internal: the portable core's own state (src/core/reactor/reactor_core.hpp).
  struct Core;
  Core& core() { return *core_; }

 private:
  template <class F>
  struct FunctionTask final : Task {
    explicit FunctionTask(F&& called) : function(std::move(called)) {}
    explicit FunctionTask(const F& called) : function(called) {}
    void run() override { function(); }
    F function;
  };

  void post_task(Task* task);

  std::unique_ptr<Core> core_;
};

}  // namespace tern
