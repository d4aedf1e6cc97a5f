// Hashes of passwords with OpenSSL's scrypt.
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "src/chat/service/password_hash.hpp"
#include "tern/tls.hpp"

namespace tern::chat {
namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;
constexpr std::size_t salt_bytes_max = 64;
constexpr std::uint64_t memory_bytes_max = 256ULL * 1024 * 1024;

using Bytes = std::vector<unsigned char>;

// "what: reason", of the first error in this thread's queue, which is emptied.
[[noreturn]] void throw_error(const char* what) {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) {
    throw std::system_error(ERR_GET_REASON(code), std::generic_category(), what);
  }
  if (code == 0) throw std::system_error(std::make_error_code(std::errc::io_error), what);
  throw std::system_error(static_cast<int>(code), tls_category(), what);
}

struct Hash {
  std::uint64_t log_cost = 15;
  std::uint64_t block = 8;
  std::uint64_t parallel = 3;
  Bytes salt;
  Bytes hash;

  std::uint64_t memory_bytes() const { return 128 * block << log_cost; }
  std::uint64_t work() const { return parallel * memory_bytes(); }
};

std::string encode(const Bytes& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // and its own NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  return text;
}

// Empty if it is no base64.
Bytes decode(std::string text) {
  if (text.size() > 2 * salt_bytes_max || text.find('=') != std::string::npos) return {};
  const std::size_t size = text.size() * 3 / 4;
  text.resize((text.size() + 3) / 4 * 4, '=');
  Bytes bytes(text.size());
  const int decoded =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  ERR_clear_error();
  if (decoded < 0) return {};
  bytes.resize(size);
  return bytes;
}

bool take(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

bool take_number(std::string_view& rest, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

bool parse(std::string_view rest, Hash& hash) {
  if (!take(rest, "$scrypt$ln=") || !take_number(rest, hash.log_cost) || !take(rest, ",r=") ||
      !take_number(rest, hash.block) || !take(rest, ",p=") || !take_number(rest, hash.parallel) ||
      !take(rest, "$")) {
    return false;
  }
  const std::size_t end = rest.find('$');
  if (end == std::string_view::npos) return false;
  hash.salt = decode(std::string(rest.substr(0, end)));
  hash.hash = decode(std::string(rest.substr(end + 1)));
  const bool is_sane = hash.log_cost >= 10 && hash.log_cost <= 20 && hash.block >= 1 &&
                       hash.block <= 64 && hash.parallel >= 1 && hash.parallel <= 64;
  return is_sane && hash.memory_bytes() <= memory_bytes_max && hash.work() <= 16 * Hash{}.work() &&
         hash.salt.size() >= 8 && hash.salt.size() <= salt_bytes_max && hash.hash.size() >= 16 &&
         hash.hash.size() <= salt_bytes_max;
}

Bytes derive(const Hash& hash, std::string_view password, std::size_t bytes) {
  ERR_clear_error();
  Bytes derived(bytes);
  // What it may allocate: its two arrays, and a little.
  const std::uint64_t memory = hash.memory_bytes() + 256 * hash.block * hash.parallel + (1U << 20U);
  if (EVP_PBE_scrypt(password.data(), password.size(), hash.salt.data(), hash.salt.size(),
                     1ULL << hash.log_cost, hash.block, hash.parallel, memory, derived.data(),
                     derived.size()) != 1) {
    throw_error("scrypt");
  }
  return derived;
}

}  // namespace

std::string make_password_hash(std::string_view password) {
  Hash hash;
  hash.salt.resize(salt_bytes);
  ERR_clear_error();
  if (RAND_bytes(hash.salt.data(), static_cast<int>(hash.salt.size())) != 1) {
    throw_error("random numbers");
  }
  return "$scrypt$ln=" + std::to_string(hash.log_cost) + ",r=" + std::to_string(hash.block) +
         ",p=" + std::to_string(hash.parallel) + "$" + encode(hash.salt) + "$" +
         encode(derive(hash, password, hash_bytes));
}

bool is_password_hash(std::string_view text) {
  Hash hash;
  return parse(text, hash);
}

bool is_password_of(std::string_view text, std::string_view password) {
  Hash hash;
  if (!parse(text, hash)) return false;
  const Bytes derived = derive(hash, password, hash.hash.size());
  return CRYPTO_memcmp(derived.data(), hash.hash.data(), derived.size()) == 0;
}

}  // namespace tern::chat
