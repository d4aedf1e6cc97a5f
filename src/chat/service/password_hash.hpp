// Passwords that are to be known again and not to be read: scrypt (RFC 7914).
//
//   $scrypt$ln=15,r=8,p=3$SALT$HASH     the form of the PHC string format, base64 without padding
//
//   THREAD  any. Making and checking one take tenths of a second and 32 MiB, which is their point:
//           never on a reactor's thread.
//   ERRORS  std::system_error; a build without OpenSSL refuses everything.
#pragma once

#include <string>
#include <string_view>

namespace tern::chat {

std::string make_password_hash(std::string_view password);
// Whether `hash` is of that form, with costs that are neither a joke nor an attack: `ln` from 10,
// `r` and `p` from 1, and at most 256 MiB and 16 times the work of make_password_hash().
bool is_password_hash(std::string_view hash);
// In constant time, as far as the password goes. REQUIRES is_password_hash(hash).
bool is_password_of(std::string_view hash, std::string_view password);

}  // namespace tern::chat
