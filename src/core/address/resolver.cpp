#include "src/core/address/resolver.hpp"

#include <chosen.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace tern {
namespace {

struct Asked {
  std::string host;
  std::uint16_t port = 0;
  std::shared_ptr<Question> question;
};

// Lives until the process ends, since its threads may.
struct Queue {
  std::mutex mutex;
  std::deque<Asked> questions;
  unsigned threads = 0;
};

Queue& queue() {
  static Queue* const only = new Queue;
  return *only;
}

// Works until the queue is empty.
void work() {
  Queue& shared = queue();
  while (true) {
    Asked next;
    {
      const std::scoped_lock lock(shared.mutex);
      if (shared.questions.empty()) {
        --shared.threads;
        return;
      }
      next = std::move(shared.questions.front());
      shared.questions.pop_front();
    }
    if (!next.question->is_wanted()) continue;
    std::error_code error;
    auto endpoints = Poller::Sockets::resolve(next.host, next.port, error);
    next.question->answer(std::move(endpoints), error);
  }
}

}  // namespace

void resolve_elsewhere(std::string host, std::uint16_t port, std::shared_ptr<Question> question,
                       std::error_code& error) {
  static constexpr unsigned threads_max = 4;
  Queue& shared = queue();
  const std::scoped_lock lock(shared.mutex);
  // While name servers are silent, nobody waits any more for most of what is queued.
  std::erase_if(shared.questions, [](const Asked& asked) { return !asked.question->is_wanted(); });
  shared.questions.push_back({std::move(host), port, std::move(question)});
  if (shared.threads == threads_max) return;
  try {
    std::thread(work).detach();
    ++shared.threads;
  } catch (const std::system_error& failure) {
    // A thread that runs already will come to it; without any, there is nobody to ask.
    if (shared.threads > 0) return;
    shared.questions.pop_back();
    error = failure.code();
  }
}

}  // namespace tern
