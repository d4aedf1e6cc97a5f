// tern load chat://...: members in rooms who say lines at a steady rate, and hear each other.
//
//   Open loop, whether a rate is asked for or not: every line has its planned time, whatever the
//   server does, and its latency runs from that time to each member who hears it. One thread, one
//   event loop: with many members measure with a processor of its own for it.
//
//   Verified: the first member of each room only listens, so what it hears is the room's order.
//   Everyone else must hear the same lines in the same order but for its own, each once and whole.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tools/tern/load/options.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

struct ChatLoadOptions {
  bool is_chosen = false;  // the URL was chat://
  std::uint64_t rooms = 1;
};

// --rooms; `options` must outlive the parsing.
void add_chat_load_options(CLI::App& app, ChatLoadOptions& options);
// Returns the exit code. Of `options` it takes the URL, connections, message_bytes, rate,
// duration, timeout, server_pid, json_path and quiet. Throws CommandError.
int load_chat(const LoadOptions& options, const ChatLoadOptions& chat);

}  // namespace tern::tool
