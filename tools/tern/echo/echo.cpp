// tern echo: a server that sends back what it receives.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/units.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/echo/application.hpp"
#include "tools/tern/serve/options.hpp"

namespace tern::tool {
namespace {

struct EchoOptions {
  ServerSettings settings{"tcp://127.0.0.1:7007"};
  std::uint64_t connections_max = ListenerOptions{}.connections_max;
  // The watermarks follow the ones that are given, so that one option is enough.
  std::optional<std::size_t> high_bytes;
  std::optional<std::size_t> low_bytes;
  std::optional<std::size_t> limit_bytes;
};

void add_optional_size(CLI::App& app, const std::string& name, std::optional<std::size_t>& target,
                       const std::string& standard, const std::string& description) {
  add_text(app, name, "SIZE", standard, description, [&target, name](const std::string& text) {
    std::string problem;
    std::size_t bytes = 0;
    if (!parse_size(text, bytes, problem)) throw CLI::ValidationError(name, problem);
    if (bytes == 0) refuse(name, text, "a size above zero", "a number such as 64, 4k or 1M");
    target = bytes;
  })->group("Limits");
}

void add_limits(CLI::App& app, EchoOptions& options) {
  Limits& limits = options.settings.serve.server.limits;
  add_duration(app, "--idle-timeout", limits.idle_timeout,
               "end a connection on which no byte moves for this long; 0: never")
      ->group("Limits");
  add_time_limits(app, options.settings);
  add_count(app, "--max-connections", options.connections_max,
            "connections alive at once; a client above that is reset as soon as it comes", 1)
      ->group("Limits");
  add_optional_size(app, "--high-watermark", options.high_bytes,
                    format_size(limits.output_high_bytes),
                    "queued output above which a connection's own input is paused");
  add_optional_size(app, "--low-watermark", options.low_bytes, format_size(limits.output_low_bytes),
                    "queued output at which it goes on (unset: a quarter of the high one)");
  add_optional_size(app, "--output-limit", options.limit_bytes,
                    format_size(limits.output_bytes_max),
                    "queued output above which the connection is closed (unset: at least twice the "
                    "high watermark)");
}

// Fills in what was not given and refuses what contradicts itself.
void settle(EchoOptions& options) {
  settle(options.settings);
  Limits& limits = options.settings.serve.server.limits;
  if (options.high_bytes) {
    limits.output_high_bytes = *options.high_bytes;
    limits.output_low_bytes = limits.output_high_bytes / 4;
    limits.output_bytes_max = std::max(limits.output_bytes_max, 2 * limits.output_high_bytes);
  }
  if (options.low_bytes) limits.output_low_bytes = *options.low_bytes;
  if (options.limit_bytes) limits.output_bytes_max = *options.limit_bytes;
  if (limits.output_low_bytes > limits.output_high_bytes) {
    throw CommandError(
        exit_usage,
        fmt::format("--low-watermark {} is above --high-watermark {}; write a low one that is not",
                    format_size(limits.output_low_bytes), format_size(limits.output_high_bytes)));
  }
  if (limits.output_high_bytes > limits.output_bytes_max) {
    throw CommandError(
        exit_usage,
        fmt::format(
            "--high-watermark {} is above --output-limit {}; write a limit that is not lower",
            format_size(limits.output_high_bytes), format_size(limits.output_bytes_max)));
  }
  options.settings.serve.server.listener.connections_max = options.connections_max;
}

constexpr std::string_view echo_examples = R"(Examples:
  tern echo                                             TCP on 127.0.0.1:7007
  tern echo --listen tcp://[::]:7007 --listen udp://*:7007 --workers auto
  tern echo --listen unix:/run/tern.sock --idle-timeout 30s
  tern echo --listen tcp://127.0.0.1:0 --stats 1s       any free port, rates each second
  tern echo --listen tls://127.0.0.1:7443 --tls-cert certs/cert.pem --tls-key certs/key.pem)";

constexpr std::string_view drain =
    "drain: new connections are refused, idle ones are ended, busy ones are served until they end "
    "or "
    "--drain-timeout has passed; exit code 0";
constexpr std::string_view hangup =
    "with TLS reads certificates and keys again: new connections get the new ones, others live on, "
    "and a bad file changes nothing; without TLS it drains, too";

}  // namespace

void add_echo(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<EchoOptions>();
  add_server_options(app, options->settings,
                     "tcp://, tls:// or udp://HOST:PORT, unix:/PATH or unix:@NAME");
  add_limits(app, *options);
  add_socket_options(app, options->settings);
  add_tls_server_options(app, options->settings.serve.tls);
  add_log_options(app);
  app.footer(server_help(echo_examples, drain, hangup));
  app.callback([options, &exit_code] {
    settle(*options);
    EchoApplication application;
    exit_code = serve(options->settings.serve, application);
  });
}

}  // namespace tern::tool
