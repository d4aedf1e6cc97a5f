#include "tools/tern/load/command_line.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/units.hpp"
#include "tools/tern/load/datagram.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t connections_max = 1'000'000;
constexpr std::size_t depth_max = 65'536;
constexpr std::size_t message_bytes_max = 1024 * 1024 * 1024;
constexpr std::uint64_t threads_max = 1024;

constexpr std::string_view load_examples = R"(Examples:
  tern load                                             50 connections, 64 bytes, 10 s
  tern load tcp://127.0.0.1:7007 -c 1k -s 16KiB -d 30s
  tern load tcp://127.0.0.1:7007 -p 16 --json result.json --server-pid $(pgrep -f 'tern echo')
  tern load -r 50k --arrivals poisson --fail-if 'p99>5ms'
  tern load udp://127.0.0.1:7007 -p 4
  tern load unix:/run/tern.sock -n 1M                   exactly a million messages
  tern load chat://127.0.0.1:7070 -c 1k --rooms 10 -r 500        of tern chat --flood off
  tern load tls://127.0.0.1:7443 --tls-ca certs/ca.pem --churn --no-resume

Closed loop (without -r): a connection sends its next message when one is answered, so latency
includes the time that messages wait for each other, and a server that stalls is asked less often.
Open loop (-r): messages leave when they are planned, whatever is unanswered, and latency counts
from the planned time, so that a stall shows in every message that was due meanwhile.)";

std::string end_of_help() {
  return fmt::format(
      "{}\n\n{}\n\n{}", load_examples,
      signals_help({{"SIGINT, SIGTERM, SIGHUP",
                     "end the run, or the search, and show what was measured until then"}}),
      exit_codes_help(
          {{exit_success, "every message was answered correctly"},
           {exit_failure, "there were errors, or --fail-if held, or --find-max never did"},
           {exit_usage},
           {exit_unavailable, "nothing could be connected"},
           {exit_internal},
           {exit_system},
           {exit_configuration}}));
}

// What no single option can see.
void refuse_contradictions(const LoadOptions& options, const CLI::App& app) {
  const auto refuse = [](const std::string& message) { throw CommandError(exit_usage, message); };
  if (options.by_count() && app.count("--duration") > 0) {
    refuse("-n and -d contradict each other: a run ends by count or by time; give one of them");
  }
  if (options.by_count() && app.count("--warmup") > 0) {
    refuse("-n and --warmup contradict each other: with -n every message is counted; drop one");
  }
  if (options.is_open_loop() && app.count("--depth") > 0) {
    refuse(
        "-r and -p contradict each other: an open loop sends when a message is due, whatever is "
        "unanswered; drop one");
  }
  if (options.find_max && options.by_count()) {
    refuse("--find-max and -n contradict each other: each rate is tried for the same time; use -d");
  }
  if (options.find_max && app.count("--depth") > 0) {
    refuse("--find-max and -p contradict each other: an open loop sends when a message is due");
  }
  if (!options.is_open_loop() && !options.find_max && app.count("--arrivals") > 0) {
    refuse("--arrivals says how the messages of an open loop are spread; give it a rate with -r");
  }
  if (options.find_max && !options.fail_if.empty()) {
    refuse(
        "--find-max and --fail-if contradict each other: the search has a condition of its own; "
        "judge the rate that it finds in a run with -r");
  }
  if (!options.json_path.empty() && options.json_path == options.hdr_path) {
    refuse(fmt::format("--json {0} and --hdr {0} contradict each other: there is room for one",
                       options.json_path));
  }
  if (!options.is_datagram() && app.count("--udp-timeout") > 0) {
    refuse("--udp-timeout is for udp://, where an answer may be lost; see --timeout");
  }
  if (app.count("--rooms") > 0) refuse("--rooms is for chat://; drop it");
  if (options.threads > options.connections) {
    refuse(
        fmt::format("--threads {} is more than -c {}: a thread would have nothing to do; write "
                    "at most {}",
                    options.threads, options.connections, options.connections));
  }
  if (options.churn) {
    const char* other = options.depth > 1                 ? "--depth"
                        : options.idle > 0                ? "--idle"
                        : options.ramp > Duration::zero() ? "--ramp"
                                                          : nullptr;
    if (other != nullptr) {
      refuse(
          fmt::format("--churn and {} contradict each other: a connection has one message and "
                      "then ends; drop one",
                      other));
    }
    if (options.is_datagram()) refuse("--churn needs connections, and udp:// has none; drop it");
  }
  const std::size_t bytes = options.message_bytes;
  if (options.is_datagram() &&
      (bytes < datagram_header_bytes || bytes > DatagramSocket::payload_bytes_max)) {
    refuse(fmt::format("--size {} is no size of a datagram that carries its number; write {} to {}",
                       bytes, datagram_header_bytes, DatagramSocket::payload_bytes_max));
  }
}

void refuse_what_no_chat_has(const CLI::App& app) {
  for (const char* name : {"--depth", "--count", "--warmup", "--threads", "--ramp", "--idle",
                           "--churn", "--udp-timeout", "--seed", "--arrivals", "--find-max",
                           "--hdr", "--fail-if", "--no-resume"}) {
    if (app.count(name) == 0) continue;
    throw CommandError(exit_usage,
                       fmt::format("{} means nothing with chat://; it takes -c, -s, -d, --rooms, "
                                   "-r, --timeout, --json, --server-pid and -q",
                                   name));
  }
}

Arrivals read_arrivals(const std::string& text) {
  if (text == "constant") return Arrivals::constant;
  if (text == "poisson") return Arrivals::poisson;
  throw CLI::ValidationError("--arrivals",
                             fmt::format("'{}' is unknown; write constant or poisson", text));
}

void add_fail_if(CLI::App& app, LoadOptions& options) {
  const auto read = [&options](const std::vector<std::string>& texts) {
    options.fail_if.clear();
    for (const std::string& text : texts) {
      std::string problem;
      if (!parse_condition(text, options.fail_if.emplace_back(), problem)) {
        throw CLI::ValidationError("--fail-if", problem);
      }
    }
  };
  with_environment(app.add_option_function<std::vector<std::string>>(
                          "--fail-if", read, "exit 1 if this holds, such as 'p99>5ms'; repeats")
                       ->type_name("CONDITION")
                       ->allow_extra_args(false));
}

void add_open_loop_options(CLI::App& app, LoadOptions& options) {
  add_count(app, "-r,--rate", options.rate,
            "open loop: messages a second over all connections, sent when planned", 1,
            load_rate_max)
      ->type_name("RATE")
      ->default_str("");
  add_text(app, "--find-max", "CONDITION", "",
           "the highest rate at which this holds, such as 'p99<1ms': tries one after the other",
           [&options](const std::string& text) {
             std::string fault;
             if (!parse_condition(text, options.find_max.emplace(), fault)) {
               throw CLI::ValidationError("--find-max", fault);
             }
           });
  add_text(app, "--arrivals", "HOW", "constant",
           "open loop: constant gaps, or poisson: random ones (see --seed)",
           [&options](const std::string& text) { options.arrivals = read_arrivals(text); });
}

}  // namespace

void add_load_options(CLI::App& app, LoadCommandLine& line) {
  LoadOptions& options = line.options;
  std::string problem;
  Url::parse("tcp://127.0.0.1:7007", options.url, problem);
  app.add_option_function<std::string>(
         "url",
         [&options, &chat = line.chat](const std::string& text) {
           chat.is_chosen = text.starts_with("chat://");
           options.url = read_remote_url("url", chat.is_chosen ? "tcp" + text.substr(4) : text);
         },
         "the server: tcp://, tls:// or udp://HOST:PORT, unix:/PATH or unix:@NAME; or a chat: "
         "chat://HOST:PORT")
      ->type_name("URL")
      ->default_str(options.url.to_string());
  add_count(app, "-c,--connections", line.connections, "connections that send messages", 1,
            connections_max);
  add_size(app, "-s,--size", options.message_bytes, "bytes of a message", 1, message_bytes_max);
  add_count(app, "-p,--depth", line.depth, "unanswered messages on each connection", 1, depth_max);
  add_open_loop_options(app, options);
  add_duration(app, "-d,--duration", options.duration, "how long to measure",
               std::chrono::milliseconds(1));
  add_count(app, "-n,--count", options.count,
            "messages in all, instead of a duration; 0: stop by time");
  add_duration(app, "--warmup", options.warmup, "how long to send before measuring begins");
  add_count(app, "-t,--threads", line.threads, "threads, each with its own event loop", 1,
            threads_max);
  add_duration(app, "--ramp", options.ramp,
               "spread the connects over this time; messages begin when all are open");
  add_count(app, "--idle", line.idle,
            "further connections that exchange one message and are then held open", 0,
            connections_max);
  with_environment(
      app.add_flag("--churn", options.churn, "make a new connection for each message"));
  add_duration(app, "--timeout", options.timeout,
               "how long a connect or an answer may take before it is an error",
               std::chrono::milliseconds(1));
  add_duration(app, "--udp-timeout", options.udp_timeout,
               "how long an unanswered datagram is waited for before it counts as lost",
               std::chrono::milliseconds(1));
  add_text(app, "--json", "FILE", "", "write the result as JSON; -: to standard output",
           [&options](const std::string& text) { options.json_path = text; });
  add_text(app, "--hdr", "FILE", "",
           "write the latency percentiles as HdrHistogram does, in us; -: to standard output",
           [&options](const std::string& text) { options.hdr_path = text; });
  add_fail_if(app, options);
  add_count(app, "--server-pid", options.server_pid,
            "the server's process: also show its CPU time and context switches a message, and its "
            "memory")
      ->type_name("PID")
      ->default_str("");
  add_count(app, "--seed", options.seed, "of the pattern that is sent, and of random arrivals")
      ->type_name("NUMBER");
  with_environment(
      app.add_flag_callback(
             "--no-resume", [&options] { options.resume = false; }, "every handshake is a full one")
          ->group("TLS"));
  add_chat_load_options(app, line.chat);
  add_tls_client_options(app, options.tls);
  with_environment(
      app.add_flag("-q,--quiet", options.quiet, "print no progress and no summary, only errors"));
  app.footer(end_of_help());
}

void settle_load_options(LoadCommandLine& line, const CLI::App& app) {
  LoadOptions& options = line.options;
  options.connections = static_cast<std::size_t>(line.connections);
  options.idle = static_cast<std::size_t>(line.idle);
  options.depth = static_cast<std::size_t>(line.depth);
  options.threads = static_cast<unsigned>(line.threads);
  if (line.chat.is_chosen) {
    refuse_what_no_chat_has(app);
  } else {
    refuse_contradictions(options, app);
  }
}

}  // namespace tern::tool
