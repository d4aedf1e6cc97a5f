#include <memory>
#include <optional>

#include "src/core/server/server_state.hpp"

namespace tern {

void Server::State::keep_counters() {
  const std::scoped_lock lock(mutex);
  for (const auto& worker : workers) worker->counted = worker->reactor.counters();
}

// A reactor belongs to its thread: while it runs it is asked, and before and after that its answer
// lies ready.
std::vector<Counters> Server::counters() {
  State& state = *state_;
  const std::size_t count = state.workers.size();
  // Shared with the tasks: a reactor may end before it has answered, and drop its task later.
  using Answers = std::vector<std::optional<Counters>>;
  const auto answers = std::make_shared<Answers>(count);
  std::unique_lock lock(state.mutex);
  for (std::size_t i = 0; i < count; ++i) {
    Worker& worker = *state.workers[i];
    if (!worker.is_running) {
      (*answers)[i] = worker.counted;
      continue;
    }
    worker.reactor.post([&state, answers, i, &worker] {
      const std::scoped_lock answer_lock(state.mutex);
      (*answers)[i] = worker.reactor.counters();
      state.changed.notify_all();
    });
  }
  std::vector<Counters> counters;
  for (std::size_t i = 0; i < count; ++i) {
    const Worker& worker = *state.workers[i];
    std::optional<Counters>& answer = (*answers)[i];
    state.changed.wait(lock, [&] { return answer || !worker.is_running; });
    counters.push_back(answer.value_or(worker.counted));
  }
  return counters;
}

std::vector<std::size_t> Server::connections() const {
  std::vector<std::size_t> counts;
  for (const auto& worker : state_->workers) {
    counts.push_back(worker->connections.load(std::memory_order_relaxed));
  }
  return counts;
}

}  // namespace tern
