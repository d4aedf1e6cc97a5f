// Resolver: runs getaddrinfo on helper threads, because it blocks. One for the whole process. Not
// installed.
#pragma once

#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "tern/endpoint.hpp"

namespace tern {

// Calls `answer` on a helper thread. At most four questions are asked at once; others queue. Any
// thread. The threads are never joined: a name server that does not answer must not hold up exit.
void resolve_elsewhere(std::string host, std::uint16_t port,
                       std::function<void(std::vector<Endpoint>, const std::error_code&)> answer);

}  // namespace tern
