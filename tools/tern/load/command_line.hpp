// The command line of tern load: its options, and which of them contradict each other.
#pragma once

#include <cstdint>

#include "tools/tern/load/chat.hpp"
#include "tools/tern/load/options.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

// The highest rate that can be asked for.
inline constexpr std::uint64_t load_rate_max = 100'000'000;

struct LoadCommandLine {
  LoadOptions options;
  ChatLoadOptions chat;
  // As they are read: wider than those of LoadOptions on some systems.
  std::uint64_t connections = options.connections;
  std::uint64_t idle = options.idle;
  std::uint64_t depth = options.depth;
  std::uint64_t threads = options.threads;
};

// `line` must outlive the parsing.
void add_load_options(CLI::App& app, LoadCommandLine& line);

// To be called when everything was parsed, before `line` is used. Throws CommandError for what no
// single option can see.
void settle_load_options(LoadCommandLine& line, const CLI::App& app);

}  // namespace tern::tool
