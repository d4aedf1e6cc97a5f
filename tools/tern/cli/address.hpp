// Addresses on the command line: reading, resolving and printing them.
#pragma once

#include <string>
#include <vector>

#include "tern/endpoint.hpp"
#include "tern/url.hpp"

namespace tern::tool {

// Reads `text` for the option or argument `name`; throws CLI::ValidationError with the problem.
Url read_url(const std::string& name, const std::string& text);

// An address to connect to: as read_url, and port 0 is refused.
Url read_remote_url(const std::string& name, const std::string& text);

// Every address of the URL's host, in the order to be tried; one for a Unix path. Blocks while a
// name is looked up. Throws CommandError (69).
std::vector<Endpoint> resolve_url(const Url& url);

// tcp://127.0.0.1:7007, unix:/run/tern.sock
std::string url_text(Scheme scheme, const Endpoint& endpoint);

}  // namespace tern::tool
