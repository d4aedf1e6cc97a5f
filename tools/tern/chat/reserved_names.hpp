// The names of a chat that a password keeps for somebody, and those of operators, as files.
//
//   --reserved FILE    a line a name, as `tern chat --reserve NAME` prints it: NAME HASH
//   --operators FILE   a line a name, each of them reserved: otherwise anybody could take it
//   Empty lines, and lines that begin with #, are nothing.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "src/chat/hub/hub.hpp"

namespace tern::tool {

struct ChatNames {
  chat::ReservedNames reserved_names;
  std::map<std::string, std::string> hashes;  // of passwords, by folded name
};

// An empty path: no such names. Throws CommandError (78) with file and line, and what would be
// right; never with what a line holds.
ChatNames read_chat_names(const std::string& reserved, const std::string& operators,
                          std::size_t name_bytes_max);

// Reads the password from standard input, without an echo on a terminal, and prints the line for
// --reserved. Throws CommandError (64 for a bad name or password).
void reserve_chat_name(const std::string& name, std::size_t name_bytes_max);

}  // namespace tern::tool
