#include "tern/server.hpp"

#include <algorithm>
#include <cassert>

#include "src/core/server/server_state.hpp"

namespace tern {
namespace {

// The drawing in include/tern/server.hpp, as a table.
[[maybe_unused]] constexpr bool may_follow(Life from, Life to) {
  switch (from) {
    case Life::assembled:
      return to == Life::running || to == Life::stopped;
    case Life::running:
      return to == Life::draining || to == Life::stopped;
    case Life::draining:
      return to == Life::stopped;
    case Life::stopped:
      return false;
  }
  return false;
}

}  // namespace

void Server::State::enter(Life next) {
  assert(may_follow(life, next));
  life = next;
}

void Server::State::require_assembled(const std::string& what) {
  const std::scoped_lock lock(mutex);
  if (life == Life::assembled) return;
  throw std::system_error(
      std::make_error_code(std::errc::operation_not_permitted),
      what + ": the server has been started already; listen first, and start it once");
}

Server::Worker::Worker(State& server_state, const ReactorOptions& options)
    : state(server_state),
      quiet_timer([this] { end_idle_connections(); }),
      deadline_timer([this] { end_all_connections(); }),
      reactor(options) {}

Server::Server(const ServerOptions& options) : state_(std::make_unique<State>(options)) {
  if (options.workers < 1 || options.workers > 1024) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "workers must be 1 to 1024, not " + std::to_string(options.workers));
  }
  for (unsigned i = 0; i < options.workers; ++i) {
    state_->workers.push_back(std::make_unique<Worker>(*state_, options.reactor));
  }
  state_->keep_counters();
}

Server::~Server() {
  stop();
  join();
  State& state = *state_;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.life == Life::assembled) state.enter(Life::stopped);
    assert(state.life == Life::stopped);
  }
  // What a reactor tells and drops while it ends may post to any other, so all are still there.
  std::vector<Reactor*> reactors;
  for (const auto& worker : state.workers) reactors.push_back(&worker->reactor);
  Reactor::Core::end_all(reactors);
}

void Server::start() {
  State& state = *state_;
  state.require_assembled("start()");
  {
    const std::scoped_lock lock(state.mutex);
    state.enter(Life::running);
    if (state.is_drained_early) state.enter(Life::draining);
    for (const auto& worker : state.workers) worker->is_running = true;
  }
  std::size_t started = 0;
  try {
    for (const auto& worker : state.workers) {
      worker->thread = std::thread([&worker = *worker] {
        worker.reactor.run();
        worker.ended();
      });
      ++started;
    }
  } catch (...) {
    // No thread is left for this worker, nor for those after it.
    stop();
    for (std::size_t i = started; i < state.workers.size(); ++i) state.workers[i]->ended();
    join();
    throw;
  }
}

void Server::Worker::ended() {
  const std::scoped_lock lock(state.mutex);
  counted = reactor.counters();
  is_running = false;
  const bool is_last = std::none_of(state.workers.begin(), state.workers.end(),
                                    [](const auto& worker) { return worker->is_running; });
  if (is_last) state.enter(Life::stopped);
  state.changed.notify_all();
}

void Server::join() {
  for (auto& worker : state_->workers) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Server::stop() {
  for (auto& worker : state_->workers) worker->reactor.stop();
}

}  // namespace tern
