#include "backends/simulated/address_book.hpp"

#include <algorithm>

namespace tern::simulated {

namespace {

bool is_of_this_machine(const Endpoint& endpoint) {
  if (endpoint.is_loopback() || endpoint.is_any()) return true;
  return endpoint.family() == Family::ipv4 && endpoint.address()[0] == 10;
}

// Whether a message to `to` could be meant for both. The ports are the same.
bool any_covers(const Endpoint& any, bool v6_only, const Endpoint& to) {
  if (!any.is_any()) return false;
  return any.family() == to.family() || (any.family() == Family::ipv6 && !v6_only);
}

}  // namespace

Endpoint AddressBook::bind(const Endpoint& wish, Object& object, BindRules rules,
                           std::error_code& error) {
  if (wish.family() == Family::local) return bind_path(wish, object, error);
  if (!is_of_this_machine(wish)) {
    error = std::make_error_code(std::errc::address_not_available);
    return {};
  }
  const std::uint16_t port = wish.port() != 0 ? wish.port() : free_port(wish, rules);
  const Endpoint bound = wish.with_port(port);
  if (port == 0 || !is_free(bound, rules)) {
    error = std::make_error_code(std::errc::address_in_use);
    return {};
  }
  ports_[port].push_back({bound, &object, rules});
  return bound;
}

Endpoint AddressBook::bind_path(const Endpoint& wish, Object& object, std::error_code& error) {
  const std::string path(wish.path());
  if (path.find(".sock/") != std::string::npos) {
    error = std::make_error_code(std::errc::no_such_file_or_directory);
    return {};
  }
  Object*& holder = paths_[path];
  if (holder != nullptr) {
    error = std::make_error_code(std::errc::address_in_use);
    return {};
  }
  holder = &object;
  return wish;
}

void AddressBook::release(const Object& object) {
  if (object.local.family() == Family::local) {
    const auto found = paths_.find(object.local.path());
    if (found == paths_.end() || found->second != &object) return;
    found->second = nullptr;
    // The abstract namespace has no files.
    if (found->first.starts_with('@')) paths_.erase(found);
    return;
  }
  const auto found = ports_.find(object.local.port());
  if (found == ports_.end()) return;
  std::erase_if(found->second, [&](const Entry& entry) { return entry.object == &object; });
  if (found->second.empty()) ports_.erase(found);
}

std::vector<Object*> AddressBook::find(const Endpoint& to, SocketKind kind) const {
  std::vector<Object*> exact;
  std::vector<Object*> any;
  if (to.family() == Family::local) {
    const auto found = paths_.find(to.path());
    if (found == paths_.end() || found->second == nullptr) return exact;
    if (found->second->kind == kind) exact.push_back(found->second);
    return exact;
  }
  const auto found = ports_.find(to.port());
  if (found == ports_.end()) return exact;
  for (const Entry& entry : found->second) {
    if (entry.object->kind != kind) continue;
    if (entry.endpoint == to) exact.push_back(entry.object);
    if (any_covers(entry.endpoint, entry.rules.v6_only, to)) any.push_back(entry.object);
  }
  return exact.empty() ? any : exact;
}

bool AddressBook::is_free(const Endpoint& wish, BindRules rules) const {
  const auto found = ports_.find(wish.port());
  if (found == ports_.end()) return true;
  return std::none_of(found->second.begin(), found->second.end(), [&](const Entry& entry) {
    const bool overlaps = entry.endpoint == wish ||
                          any_covers(entry.endpoint, entry.rules.v6_only, wish) ||
                          any_covers(wish, rules.v6_only, entry.endpoint);
    return overlaps && !(entry.rules.is_shared && rules.is_shared);
  });
}

std::uint16_t AddressBook::free_port(const Endpoint& wish, BindRules rules) {
  // A port that the system chooses is never shared with those who are there already.
  rules.is_shared = false;
  for (int tries = 0; tries <= last_port - first_port; ++tries) {
    const std::uint16_t port = next_port_;
    next_port_ = port == last_port ? first_port : static_cast<std::uint16_t>(port + 1);
    if (is_free(wish.with_port(port), rules)) return port;
  }
  return 0;
}

}  // namespace tern::simulated
