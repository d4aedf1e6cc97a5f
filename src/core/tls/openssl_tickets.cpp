// Tickets on both sides: what a server seals them with, and what a client keeps.
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "src/core/tls/openssl_context.hpp"

namespace tern::tls {

TicketKeys::~TicketKeys() { OPENSSL_cleanse(keys_.data(), keys_.size() * sizeof(Key)); }

// REQUIRES the lock. After two lifetimes without any ticket the old key is gone as well.
bool TicketKeys::rotate() {
  const auto now = std::chrono::steady_clock::now();
  const auto age = now - made_;
  if (!keys_.empty() && age < lifetime_) return true;
  Key fresh;
  if (RAND_bytes(fresh.name.data(), static_cast<int>(fresh.name.size())) != 1 ||
      RAND_priv_bytes(fresh.cipher_key.data(), static_cast<int>(fresh.cipher_key.size())) != 1 ||
      RAND_priv_bytes(fresh.mac_key.data(), static_cast<int>(fresh.mac_key.size())) != 1) {
    return !keys_.empty();
  }
  const std::size_t kept = age < 2 * lifetime_ ? 1 : 0;
  while (keys_.size() > kept) {
    OPENSSL_cleanse(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
  keys_.insert(keys_.begin(), fresh);
  OPENSSL_cleanse(&fresh, sizeof fresh);
  made_ = now;
  return true;
}

bool TicketKeys::current(Key& key) {
  const std::scoped_lock lock(mutex_);
  if (!rotate()) return false;
  key = keys_.front();
  return true;
}

bool TicketKeys::find(const unsigned char* name, Key& key, bool& is_old) {
  const std::scoped_lock lock(mutex_);
  if (!rotate()) return false;
  for (const Key& candidate : keys_) {
    if (std::memcmp(candidate.name.data(), name, candidate.name.size()) != 0) continue;
    key = candidate;
    is_old = &candidate != &keys_.front();
    return true;
  }
  return false;
}

void Sessions::keep(const std::string& peer_name, SessionHandle session) {
  const std::scoped_lock lock(mutex_);
  if (sessions_.size() >= names_max && !sessions_.contains(peer_name)) {
    sessions_.erase(sessions_.begin());
  }
  auto& kept = sessions_[peer_name];
  kept.push_back(std::move(session));
  if (kept.size() > sessions_per_name_max) kept.pop_front();
}

SessionHandle Sessions::take(const std::string& peer_name) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(peer_name);
  if (found == sessions_.end()) return nullptr;
  auto& kept = found->second;
  while (!kept.empty() && SSL_SESSION_is_resumable(kept.back().get()) != 1) kept.pop_back();
  if (kept.empty()) return nullptr;
  if (SSL_SESSION_get_protocol_version(kept.back().get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(kept.back().get());
    return SessionHandle(kept.back().get());
  }
  SessionHandle newest = std::move(kept.back());
  kept.pop_back();
  return newest;
}

}  // namespace tern::tls
