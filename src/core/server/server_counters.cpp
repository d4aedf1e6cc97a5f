#include "src/core/server/server_state.hpp"

namespace tern {

std::vector<Counters> Server::counters() {
  State& state = *state_;
  // Shared with the tasks: a reactor may stop before it has answered, and drop its task later.
  struct Answers {
    std::vector<Counters> counters;
    std::vector<bool> given;
  };
  const auto answers = std::make_shared<Answers>();
  answers->counters.resize(state.workers.size());
  answers->given.resize(state.workers.size());
  for (std::size_t i = 0; state.started && i < state.workers.size(); ++i) {
    state.workers[i]->reactor.post([&state, answers, i, &worker = *state.workers[i]] {
      const std::scoped_lock lock(state.mutex);
      answers->counters[i] = worker.reactor.counters();
      answers->given[i] = true;
      state.changed.notify_all();
    });
  }
  for (std::size_t i = 0; i < state.workers.size(); ++i) {
    Worker& worker = *state.workers[i];
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return !state.started || answers->given[i] || worker.ended; });
    if (!answers->given[i]) answers->counters[i] = worker.reactor.counters();
  }
  return answers->counters;
}

std::vector<std::size_t> Server::connections() const {
  std::vector<std::size_t> counts;
  for (const auto& worker : state_->workers) {
    counts.push_back(worker->connections.load(std::memory_order_relaxed));
  }
  return counts;
}

}  // namespace tern
