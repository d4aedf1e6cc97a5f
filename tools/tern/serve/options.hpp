// The options that all server commands share: where to listen, on how many threads, with which
// sockets and certificates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

// The end of a server's help: `examples`, output, signals, exit codes, environment. `drain` is what
// SIGTERM and SIGINT do, `hangup` what SIGHUP does.
std::string server_help(std::string_view examples, std::string_view drain, std::string_view hangup);

}  // namespace tern::tool
