#include "tools/tern/serve/options.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <variant>

#include "backends/common/socket_option_table.hpp"
#include "tern/process.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

constexpr unsigned workers_max = 1024;

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

// One overload for each kind of value in the table of socket options.
void add_socket_option(CLI::App& app, const SocketOptionRow& row, bool& target) {
  const std::string name(row.flag);
  add_text(app, name, "on|off", target ? "on" : "off", std::string(row.purpose),
           [&target, name](const std::string& text) { target = read_switch(name, text); })
      ->group("Sockets");
}

void add_socket_option(CLI::App& app, const SocketOptionRow& row,
                       std::optional<std::uint32_t>& target) {
  const std::string name(row.flag);
  const auto read = [&target, name](const std::string& text) {
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
  };
  add_text(app, name, "SIZE", "auto", std::string(row.purpose), read)->group("Sockets");
}

void add_socket_option(CLI::App& app, const SocketOptionRow& row,
                       std::optional<KeepAlive>& target) {
  add_text(app, std::string(row.flag), "TIMES", "off",
           fmt::format("{}: off, or IDLE[,INTERVAL[,PROBES]] such as 60s,10s,6", row.purpose),
           [&target](const std::string& text) { target = read_keep_alive(text); })
      ->group("Sockets");
}

}  // namespace

std::string server_help(std::string_view examples, std::string_view drain,
                        std::string_view hangup) {
  return fmt::format(R"({}

Output: on standard output `listening URL` for each address, with its real port, and
then `ready`. The log goes to standard error.

{}

{}

Environment: each option can be set by the variable in its brackets; the command line counts first.
TERN_LISTEN may hold several addresses with spaces between them.)",
                     examples, signals_help({{"SIGTERM, SIGINT", drain}, {"SIGHUP", hangup}}),
                     exit_codes_help({{exit_success, "drained"},
                                      {exit_failure, "standard output cannot be written"},
                                      {exit_usage},
                                      {exit_unavailable},
                                      {exit_internal},
                                      {exit_system},
                                      {exit_configuration}}));
}

ServerSettings::ServerSettings(const std::string& url) : standard_url(url) {
  std::string problem;
  serve.listen.resize(1);
  Url::parse(url, serve.listen.front(), problem);
  serve.server.workers = read_workers("auto");
}

void add_server_options(CLI::App& app, ServerSettings& settings, const std::string& schemes) {
  ServeOptions& serve = settings.serve;
  with_environment(
      app.add_option_function<std::vector<std::string>>(
             "-l,--listen",
             [&serve](const std::vector<std::string>& texts) { serve.listen = read_listen(texts); },
             "where: " + schemes + "; repeatable; port 0: any free one")
          ->type_name("URL")
          ->expected(1)
          ->take_all()
          ->default_str(settings.standard_url));
  add_text(app, "-w,--workers", "COUNT", "auto",
           "threads, each with its own event loop; auto: one for each processor",
           [&serve](const std::string& text) { serve.server.workers = read_workers(text); });
  add_text(
      app, "--balance", "HOW", "kernel",
      "how connections are spread over workers: kernel (SO_REUSEPORT) or hand-over (one worker "
      "accepts and gives each to the worker with the fewest)",
      [&serve](const std::string& text) { serve.server.balance = read_balance(text); });
  add_text(
      app, "--metrics", "URL", "",
      "answer /metrics (Prometheus) and /healthz over HTTP there: tcp://127.0.0.1:9101; who can "
      "reach it can read it",
      [&serve](const std::string& text) {
        const Url url = read_url("--metrics", text);
        if (url.scheme != Scheme::tcp && url.scheme != Scheme::local) {
          refuse("--metrics", text, "an address for HTTP", "tcp://127.0.0.1:PORT or unix:/PATH");
        }
        serve.metrics = url;
      });
  add_duration(app, "--stats", serve.stats,
               "print rates of all counters this often on standard error; 0: never");
}

void add_time_limits(CLI::App& app, ServerSettings& settings) {
  add_duration(app, "--drain-timeout", settings.serve.drain_timeout,
               "after SIGTERM or SIGINT, how long connections may go on before they are aborted")
      ->group("Limits");
  add_duration(app, "--handshake-timeout", settings.serve.server.limits.handshake_timeout,
               "end a TLS connection whose handshake is not over by then; 0: never")
      ->group("Limits");
}

void add_socket_options(CLI::App& app, ServerSettings& settings) {
  ListenOptions& listen = settings.serve.server.listener.listen;
  SocketOptions& socket = listen.socket;
  add_count(app, "--backlog", settings.backlog,
            "connections that the kernel may hold before they are accepted; it may shorten this", 1,
            1'000'000)
      ->group("Sockets");
  for (const SocketOptionRow& row : socket_option_table) {
    if (row.flag.empty()) continue;
    std::visit([&](auto member) { add_socket_option(app, row, socket.*member); }, row.member);
  }
  add_text(app, "--v6-only", "on|off", "on", "off: tcp://[::]:PORT also takes IPv4 connections",
           [&listen](const std::string& text) { listen.v6_only = read_switch("--v6-only", text); })
      ->group("Sockets");
}

void settle(ServerSettings& settings) {
  settings.serve.server.listener.listen.backlog = static_cast<int>(settings.backlog);
}

}  // namespace tern::tool
