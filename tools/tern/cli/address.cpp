#include "tools/tern/cli/address.hpp"

#include <fmt/core.h>

#include <CLI/Error.hpp>
#include "tern/connector.hpp"
#include "tools/tern/cli/exit_codes.hpp"

namespace tern::tool {

Url read_url(const std::string& name, const std::string& text) {
  Url url;
  std::string problem;
  if (!Url::parse(text, url, problem)) throw CLI::ValidationError(name, problem);
  return url;
}

Url read_remote_url(const std::string& name, const std::string& text) {
  Url url = read_url(name, text);
  if (url.scheme != Scheme::local && url.port == 0) {
    throw CLI::ValidationError(
        name, fmt::format("port 0 in '{}' cannot be connected to; write the server's port", text));
  }
  return url;
}

std::vector<Endpoint> resolve_url(const Url& url) {
  // The parser has checked the path's length.
  if (url.scheme == Scheme::local) return {Endpoint::local(url.path).value()};
  std::error_code error;
  std::vector<Endpoint> endpoints = resolve(url.host, url.port, error);
  if (endpoints.empty()) {
    throw unavailable(fmt::format("cannot find {}: the name '{}'", url.to_string(), url.host),
                      error);
  }
  return endpoints;
}

std::string url_text(Scheme scheme, const Endpoint& endpoint) {
  const std::string_view separator = scheme == Scheme::local ? ":" : "://";
  return fmt::format("{}{}{}", to_string(scheme), separator, endpoint.to_string());
}

}  // namespace tern::tool
