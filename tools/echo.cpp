// tern echo: a server that sends back what it receives.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>

#include "src/protocols/echo.hpp"
#include "tern/process.hpp"
#include "tools/address.hpp"
#include "tools/commands.hpp"
#include "tools/common.hpp"
#include "tools/serve.hpp"
#include "tools/tls.hpp"
#include "tools/units.hpp"

namespace tern::tool {
namespace {

constexpr unsigned workers_max = 1024;

struct EchoOptions {
  ServeOptions serve;
  TlsServerSettings tls;
  std::uint64_t connections_max = ListenerOptions{}.connections_max;
  std::uint64_t backlog = static_cast<std::uint64_t>(ListenOptions{}.backlog);
  // The watermarks follow the ones that are given, so that one option is enough.
  std::optional<std::size_t> high_bytes;
  std::optional<std::size_t> low_bytes;
  std::optional<std::size_t> limit_bytes;
};

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& kind, const std::string& advice) {
  throw CLI::ValidationError(option, fmt::format("'{}' is not {}; write {}", text, kind, advice));
}

bool read_switch(const std::string& option, const std::string& text) {
  if (text == "on") return true;
  if (text != "off") refuse(option, text, "a switch", "on or off");
  return false;
}

unsigned read_workers(const std::string& text) {
  if (text == "auto") return std::min(available_processors(), workers_max);
  std::uint64_t count = 0;
  std::string problem;
  if (!parse_count(text, count, problem) || count < 1 || count > workers_max) {
    refuse("--workers", text, "a number of workers", fmt::format("1 to {}, or auto", workers_max));
  }
  return static_cast<unsigned>(count);
}

Balance read_balance(const std::string& text) {
  if (text == "kernel") return Balance::kernel;
  if (text != "hand-over") {
    refuse("--balance", text, "a way to spread connections", "kernel or hand-over");
  }
  return Balance::hand_over;
}

// "off", "60s", "60s,10s" or "60s,10s,6".
std::optional<KeepAlive> read_keep_alive(const std::string& text) {
  if (text == "off") return {};
  const auto malformed = [&] {
    refuse("--keep-alive", text, "a keep-alive time",
           "off, IDLE, IDLE,INTERVAL or IDLE,INTERVAL,PROBES (such as 60s,10s,6) in whole seconds");
  };
  KeepAlive times;
  std::istringstream parts(text);
  std::string part;
  for (int position = 0; std::getline(parts, part, ','); ++position) {
    std::string problem;
    if (position == 2) {
      std::uint64_t probes = 0;
      if (!parse_count(part, probes, problem) || probes < 1 || probes > 127) malformed();
      times.probes = static_cast<std::uint32_t>(probes);
      continue;
    }
    Duration duration{};
    if (position > 2 || !parse_duration(part, duration, problem)) malformed();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
    if (seconds != duration || seconds < std::chrono::seconds(1)) malformed();
    (position == 0 ? times.idle : times.interval) = seconds;
  }
  if (text.empty() || text.back() == ',') malformed();
  return times;
}

std::vector<Url> read_listen(std::vector<std::string> texts) {
  // The environment variable holds all addresses, with spaces between them.
  const char* variable = std::getenv("TERN_LISTEN");
  if (variable != nullptr && texts.size() == 1 && texts.front() == variable) {
    std::istringstream words(texts.front());
    texts.assign(std::istream_iterator<std::string>(words), {});
  }
  std::vector<Url> urls;
  for (const std::string& text : texts) urls.push_back(read_url("--listen", text));
  return urls;
}

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

void add_buffer_size(CLI::App& app, const std::string& name, std::optional<std::uint32_t>& target,
                     const std::string& description) {
  add_text(app, name, "SIZE", "auto", description, [&target, name](const std::string& text) {
    std::string problem;
    std::size_t bytes = 0;
    if (text != "auto" && !parse_size(text, bytes, problem)) {
      throw CLI::ValidationError(name, problem);
    }
    if (text == "auto") {
      target.reset();
    } else if (bytes < 1 || bytes > 1024 * 1024 * 1024) {
      refuse(name, text, "a size the system takes", "1 to 1GiB, or auto");
    } else {
      target = static_cast<std::uint32_t>(bytes);
    }
  })->group("Sockets");
}

void add_limits(CLI::App& app, EchoOptions& options) {
  Limits& limits = options.serve.server.limits;
  add_duration(app, "--idle-timeout", limits.idle_timeout,
               "end a connection on which no byte moves for this long; 0: never")
      ->group("Limits");
  add_duration(app, "--drain-timeout", options.serve.drain_timeout,
               "after SIGTERM or SIGINT, how long connections may go on before they are aborted")
      ->group("Limits");
  add_duration(app, "--handshake-timeout", limits.handshake_timeout,
               "end a TLS connection whose handshake is not over by then; 0: never")
      ->group("Limits");
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

void add_socket_options(CLI::App& app, EchoOptions& options) {
  ListenOptions& listen = options.serve.server.listener.listen;
  SocketOptions& socket = listen.socket;
  add_count(app, "--backlog", options.backlog,
            "connections that the kernel may hold before they are accepted; it may shorten this", 1,
            1'000'000)
      ->group("Sockets");
  add_buffer_size(app, "--receive-buffer", socket.receive_buffer_bytes,
                  "the kernel's receive buffer of each connection (SO_RCVBUF)");
  add_buffer_size(app, "--send-buffer", socket.send_buffer_bytes,
                  "the kernel's send buffer of each connection (SO_SNDBUF)");
  add_text(app, "--keep-alive", "TIMES", "off",
           "probe silent peers: off, or IDLE[,INTERVAL[,PROBES]] such as 60s,10s,6",
           [&socket](const std::string& text) { socket.keep_alive = read_keep_alive(text); })
      ->group("Sockets");
  add_text(
      app, "--no-delay", "on|off", "on", "send small writes at once (TCP_NODELAY)",
      [&socket](const std::string& text) { socket.no_delay = read_switch("--no-delay", text); })
      ->group("Sockets");
  add_text(app, "--v6-only", "on|off", "on", "off: tcp://[::]:PORT also takes IPv4 connections",
           [&listen](const std::string& text) { listen.v6_only = read_switch("--v6-only", text); })
      ->group("Sockets");
}

// Fills in what was not given and refuses what contradicts itself.
void settle(EchoOptions& options) {
  Limits& limits = options.serve.server.limits;
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
  options.serve.server.listener.connections_max = options.connections_max;
  options.serve.server.listener.listen.backlog = static_cast<int>(options.backlog);
}

constexpr std::string_view examples = R"(Examples:
  tern echo                                             TCP on 127.0.0.1:7007
  tern echo --listen tcp://[::]:7007 --listen udp://*:7007 --workers auto
  tern echo --listen unix:/run/tern.sock --idle-timeout 30s
  tern echo --listen tcp://127.0.0.1:0 --stats 1s       any free port, rates each second
  tern echo --listen tls://127.0.0.1:7443 --tls-cert certs/cert.pem --tls-key certs/key.pem

Output: on standard output `listening URL` for each address, with its real port, then `ready`.
The log goes to standard error.

Signals: with TLS, SIGHUP reads certificates and keys again: new connections get the new ones,
others live on, and a bad file changes nothing. SIGTERM, SIGINT, and SIGHUP without TLS, drain:
new connections are refused, idle ones are ended, busy ones are served until they end or
--drain-timeout has passed; exit code 0. A second signal ends at once (exit code 130 for SIGINT,
143 for SIGTERM, 129 for SIGHUP).

Exit codes: 0 drained, 1 standard output cannot be written, 64 wrong command line, 69 address
unavailable, 70 a bug, 71 a limit of the system, 78 a certificate or key cannot be used.

Environment: each option can be set by the variable in its brackets; the command line counts first.
TERN_LISTEN may hold several addresses with spaces between them.)";

}  // namespace

void add_echo(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<EchoOptions>();
  ServeOptions& serve_options = options->serve;
  std::string problem;
  serve_options.listen.resize(1);
  Url::parse("tcp://127.0.0.1:7007", serve_options.listen.front(), problem);
  serve_options.server.workers = read_workers("auto");
  serve_options.tls = [&settings = options->tls] { return make_tls(settings); };
  serve_options.reload = [&settings = options->tls](TlsContext& context) {
    reload_tls(context, settings);
  };
  serve_options.protocol = [](Reactor&) { return std::make_unique<protocols::Echo>(); };
  serve_options.datagram_protocol = [](Reactor&) {
    return std::make_unique<protocols::DatagramEcho>();
  };

  with_environment(app.add_option_function<std::vector<std::string>>(
                          "-l,--listen",
                          [&serve_options](const std::vector<std::string>& texts) {
                            serve_options.listen = read_listen(texts);
                          },
                          "where: tcp://, tls:// or udp://HOST:PORT, unix:/PATH or unix:@NAME; "
                          "repeatable; port 0: any free one")
                       ->type_name("URL")
                       ->expected(1)
                       ->take_all()
                       ->default_str("tcp://127.0.0.1:7007"));
  add_text(app, "-w,--workers", "COUNT", "auto",
           "threads, each with its own event loop; auto: one for each processor",
           [&](const std::string& text) { serve_options.server.workers = read_workers(text); });
  add_text(
      app, "--balance", "HOW", "kernel",
      "how connections are spread over workers: kernel (SO_REUSEPORT) or hand-over (one worker "
      "accepts and gives each to the worker with the fewest)",
      [&](const std::string& text) { serve_options.server.balance = read_balance(text); });
  add_duration(app, "--stats", serve_options.stats,
               "print rates of all counters this often on standard error; 0: never");
  add_limits(app, *options);
  add_socket_options(app, *options);
  add_tls_server_options(app, options->tls);
  add_log_options(app);
  app.footer(std::string(examples));
  app.callback([options, &exit_code] {
    settle(*options);
    exit_code = serve(options->serve);
  });
}

}  // namespace tern::tool
