// SignalRouter: what SIGINT, SIGTERM and SIGHUP do, as it changes in the life of a command.
//
//   Until set() and after clear(), and for the second signal in any case, a signal ends the process
//   at once with 128 plus its number, as a shell reports it. In between the first one is handed to
//   the handler. SIGHUP does nothing in a program that nohup started, unless on_hangup() gave it a
//   meaning of its own: then it is none of these signals.
//   THREAD  Construct before any other thread exists (see SignalWatcher). Handlers run on the
//           watcher's thread; clear() returns when none is running.
#pragma once

#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "tern/process.hpp"

namespace tern::tool {

struct EndingSignal {
  std::string_view name;  // "SIGINT"
  int exit_code = 0;      // of a process that it ended
};
// Each Signal, by exit code.
std::vector<EndingSignal> ending_signals();

class SignalRouter {
 public:
  using Handler = std::function<void(Signal)>;

  SignalRouter();
  SignalRouter(const SignalRouter&) = delete;
  SignalRouter& operator=(const SignalRouter&) = delete;

  void set(Handler handler);
  // From now on SIGHUP calls this, each time, and nothing else.
  void on_hangup(std::function<void()> reload);
  void clear();

  // Clears at the end of a scope: before what the handler refers to is destroyed.
  class Scope {
   public:
    Scope(SignalRouter& router, Handler handler) : router_(router) {
      router_.set(std::move(handler));
    }
    ~Scope() { router_.clear(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    SignalRouter& router_;
  };

 private:
  void signalled(Signal signal);

  std::mutex mutex_;
  Handler handler_;
  std::function<void()> reload_;
  bool seen_ = false;
  const bool ignores_hangup_;
  SignalWatcher watcher_;  // last: its thread uses the others
};

}  // namespace tern::tool
