#include "src/resolver.hpp"

#include <chosen.hpp>
#include <deque>
#include <mutex>
#include <thread>

namespace tern {
namespace {

using Answer = std::function<void(std::vector<Endpoint>, const std::error_code&)>;

struct Question {
  std::string host;
  std::uint16_t port;
  Answer answer;
};

// Lives until the process ends, since its threads may.
struct Queue {
  std::mutex mutex;
  std::deque<Question> questions;
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
    Question question;
    {
      const std::scoped_lock lock(shared.mutex);
      if (shared.questions.empty()) {
        --shared.threads;
        return;
      }
      question = std::move(shared.questions.front());
      shared.questions.pop_front();
    }
    std::error_code error;
    auto endpoints = Poller::Sockets::resolve(question.host, question.port, error);
    question.answer(std::move(endpoints), error);
  }
}

}  // namespace

void resolve_elsewhere(std::string host, std::uint16_t port, Answer answer) {
  static constexpr unsigned threads_max = 4;
  Queue& shared = queue();
  const std::scoped_lock lock(shared.mutex);
  shared.questions.push_back({std::move(host), port, std::move(answer)});
  if (shared.threads == threads_max) return;
  ++shared.threads;
  std::thread(work).detach();
}

}  // namespace tern
