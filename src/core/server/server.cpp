#include "tern/server.hpp"

#include <cassert>

#include "src/core/server/server_state.hpp"

namespace tern {

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
}

Server::~Server() {
  stop();
  join();
  state_->end_everything();
}

// What a reactor tells and drops while it ends may post to any other, so none is destroyed before
// all of them have nothing left.
void Server::State::end_everything() {
  for (bool is_over = false; !is_over;) {
    is_over = true;
    for (const auto& worker : workers) {
      if (worker->reactor.core().end_everything()) is_over = false;
    }
  }
}

void Server::start() {
  State& state = *state_;
  assert(!state.started);
  state.started = true;
  for (auto& worker : state.workers) {
    worker->thread = std::thread([&state, &worker = *worker] {
      worker.reactor.run();
      const std::scoped_lock lock(state.mutex);
      worker.ended = true;
      state.changed.notify_all();
    });
  }
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
