// Resolver: runs getaddrinfo on helper threads, because it blocks. One for the whole process. Not
// installed.
#pragma once

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "tern/endpoint.hpp"

namespace tern {

class Question {
 public:
  virtual ~Question() = default;
  // On a helper thread.
  virtual void answer(std::vector<Endpoint> endpoints, const std::error_code& error) = 0;
  // Whether somebody still waits for the answer. Any thread.
  virtual bool is_wanted() = 0;
};

// Asks on a helper thread. At most four questions are asked at once; others queue, until nobody
// wants them. Any thread. `error`: there can be no helper thread, and no answer. The threads are
// never joined: a name server that does not answer must not hold up exit.
void resolve_elsewhere(std::string host, std::uint16_t port, std::shared_ptr<Question> question,
                       std::error_code& error);

}  // namespace tern
