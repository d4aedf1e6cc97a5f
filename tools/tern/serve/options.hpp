// The options that all server commands share: where to listen, on how many threads, with which
// sockets and certificates.
#pragma once

#include <cstdint>
#include <string>

#include "tools/tern/serve/serve.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

struct ServerSettings {
  // `standard_url` is listened on when nothing else is asked for.
  explicit ServerSettings(const std::string& standard_url);

  std::string standard_url;
  ServeOptions serve;
  std::uint64_t backlog = static_cast<std::uint64_t>(ListenOptions{}.backlog);
};

// All of these keep references: `settings` must outlive the parsing.
//
// --listen, described by `schemes`; --workers, --balance and --stats.
void add_server_options(CLI::App& app, ServerSettings& settings, const std::string& schemes);
// --drain-timeout and --handshake-timeout.
void add_time_limits(CLI::App& app, ServerSettings& settings);
// --backlog, --receive-buffer and so on.
void add_socket_options(CLI::App& app, ServerSettings& settings);
// What the options above come to, after the parsing.
void settle(ServerSettings& settings);

// What a server's help says at the end of its output, exit codes and environment.
extern const std::string_view server_output_help;
extern const std::string_view server_end_help;

}  // namespace tern::tool
