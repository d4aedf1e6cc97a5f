// What one_by_one.cpp asks of the file of each system.
#pragma once

namespace tern::posix {

// For each send: that a peer which is gone be an error and not a signal, where a flag says so.
extern const int send_flags;

}  // namespace tern::posix
