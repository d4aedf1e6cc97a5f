#include "tern/resolve.hpp"

#include <chosen.hpp>

namespace tern {

std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port, std::error_code& error) {
  error.clear();
  if (const auto numeric = Endpoint::from_address(host, port)) return {*numeric};
  auto endpoints = Poller::Sockets::resolve(host, port, error);
  if (endpoints.empty() && !error) error = std::make_error_code(std::errc::address_not_available);
  return endpoints;
}

}  // namespace tern
