// Names to addresses: what a user wrote as a host becomes the endpoints to try.
#pragma once

#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "tern/endpoint.hpp"
#include "tern/export.hpp"

namespace tern {

// Every address of `host`, numeric or by name, in the order to be tried. Blocks; any thread. On
// failure empty, and `error` says why ("Name or service not known").
TERN_API std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port,
                                       std::error_code& error);

}  // namespace tern
