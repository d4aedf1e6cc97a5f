// The options of `tern chat`.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "src/chat/service/service.hpp"
#include "src/chat/store/journal_file.hpp"
#include "tools/tern/serve/options.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

struct ChatOptions {
  ServerSettings settings{"tcp://127.0.0.1:7070"};
  chat::ServiceOptions service;
  chat::JournalFileOptions journal;  // without a directory: in memory alone
  std::string config;                // a file
  bool checks = false;               // what is set, and no more
  std::string reserved;              // files
  std::string operators;
  std::string reserve;  // a name
  // What a running server takes from a changed file, by long names: filled by registering.
  std::set<std::string> reloadable;
  std::uint64_t members_max = service.hub.members_max;
  std::uint64_t rooms_max = service.hub.rooms_max;
  std::uint64_t room_members_max = service.hub.room_members_max;
  std::uint64_t joins_max = service.hub.joins_max;
  std::uint64_t history_lines = service.hub.history_lines_max;
  std::uint64_t replay_lines = service.hub.replay_lines_max;
};

// `options` must outlive the parsing.
void add_chat_options(CLI::App& app, ChatOptions& options);
// What the options come to together, after the parsing. Throws CommandError (64).
void settle(ChatOptions& options);

}  // namespace tern::tool
