// A build without OpenSSL: what would make or check a password's hash says so.
#include <system_error>

#include "src/chat/service/password_hash.hpp"

namespace tern::chat {
namespace {

[[noreturn]] void refuse() {
  throw std::system_error(
      std::make_error_code(std::errc::operation_not_supported),
      "this build has no OpenSSL, which passwords need; build with -Dtls=enabled");
}

}  // namespace

std::string make_password_hash(std::string_view) { refuse(); }
bool is_password_hash(std::string_view) { refuse(); }
bool is_password_of(std::string_view, std::string_view) { refuse(); }

}  // namespace tern::chat
