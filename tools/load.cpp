// tern load: measures an echo server, and verifies every byte it sends back.
//
//        options ─► LoadPlan ─► LoadRun ─► LoadWorker (one a thread) ─► Traffic ─► the server
//                                  │              │
//                   report ◄── LoadOutcome ◄── LoadResult, merged
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/address.hpp"
#include "tools/commands.hpp"
#include "tools/common.hpp"
#include "tools/console.hpp"
#include "tools/histogram_text.hpp"
#include "tools/load_chat.hpp"
#include "tools/load_datagram.hpp"
#include "tools/load_report.hpp"
#include "tools/load_run.hpp"
#include "tools/load_search.hpp"
#include "tools/units.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t connections_max = 1'000'000;
constexpr std::size_t depth_max = 65'536;
constexpr std::size_t message_bytes_max = 1024 * 1024 * 1024;
constexpr std::uint64_t threads_max = 1024;
constexpr std::uint64_t rate_max = 100'000'000;
constexpr std::uint64_t first_rate = 1000;  // of --find-max

constexpr std::string_view examples = R"(Examples:
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
from the planned time, so that a stall shows in every message that was due meanwhile.

Exit codes: 0 every message was answered correctly, 1 there were errors or --fail-if held or
--find-max never did, 64 wrong command line, 69 nothing could be connected, 71 a limit of the
system. Ctrl-C prints what was measured so far.)";

// What no single option can see.
void settle(LoadOptions& options, const CLI::App& app) {
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
  if (options.json_path == "-" && options.hdr_path == "-") {
    refuse("--json - and --hdr - contradict each other: standard output has room for one");
  }
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

// A line on the terminal that is written over itself; nothing where there is no terminal.
class ProgressLine {
 public:
  ProgressLine(const LoadPlan& plan, bool wanted)
      : plan_(plan), shown_(wanted && is_terminal(Stream::error)) {}
  ~ProgressLine() { write("\r\x1b[K"); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const LoadProgress& progress) {
    // The rate since the line before, not since the beginning: a stall shows at once.
    const double seconds =
        std::chrono::duration<double>(progress.elapsed - before_.elapsed).count();
    const bool comparable = seconds > 0 && progress.messages >= before_.messages;
    const double rate =
        comparable ? static_cast<double>(progress.messages - before_.messages) / seconds : 0.0;
    before_ = progress;
    write("\r" + load_progress_line(plan_, progress, rate) + "\x1b[K");
  }

 private:
  void write(const std::string& text) const {
    if (!shown_) return;
    [[maybe_unused]] const auto error = write_all(Stream::error, text);
  }

  const LoadPlan& plan_;
  bool shown_;
  LoadProgress before_;
};

void write_result(const char* option, const std::string& path, const std::string& text) {
  if (path == "-") {
    print(text);
    return;
  }
  std::ofstream file(path, std::ios::trunc);
  file << text << std::flush;
  if (!file) {
    throw CommandError(exit_failure,
                       fmt::format("{} {}: writing failed; is the disk full?", option, path));
  }
}

void write_results(const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadOptions& options = plan.options;
  if (!options.json_path.empty()) {
    write_result("--json", options.json_path, load_json(plan, outcome));
  }
  if (!options.hdr_path.empty()) {
    constexpr double microsecond_ns = 1e3;
    write_result("--hdr", options.hdr_path,
                 percentile_text(outcome.result.measure.latency_ns, microsecond_ns));
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

int exit_code_of(const LoadOutcome& outcome) {
  const LoadResult& result = outcome.result;
  if (outcome.interrupted && result.errors.total() == 0) return exit_success;
  // A datagram socket is open at once: that nobody listens shows by what comes back.
  const bool unheard =
      result.errors.of(LoadError::all_lost) > 0 && result.measure.datagrams.bounced > 0;
  if (!result.reached || unheard) return exit_unavailable;
  return result.errors.total() == 0 ? exit_success : exit_failure;
}

// The first condition of --fail-if that holds; null: none does.
const LoadCondition* broken_condition(const LoadPlan& plan, const LoadOutcome& outcome) {
  for (const LoadCondition& condition : plan.options.fail_if) {
    if (condition.holds(outcome.result)) return &condition;
  }
  return nullptr;
}

// What a failed run comes to in one line, for standard error.
std::string failure_line(const LoadPlan& plan, const LoadOutcome& outcome, int exit_code) {
  const LoadErrors& errors = outcome.result.errors;
  for (std::size_t index = 0; index < load_error_count; ++index) {
    const auto error = static_cast<LoadError>(index);
    if (errors.of(error) == 0) continue;
    if (exit_code == exit_unavailable) {
      return fmt::format(
          "tern load: nobody answers: {}; start the server first, or correct the URL\n",
          errors.example(error));
    }
    return fmt::format("tern load: {} errors; the first {}: {}\n", grouped(errors.total()),
                       to_string(error), errors.example(error));
  }
  if (const LoadCondition* condition = broken_condition(plan, outcome)) {
    return fmt::format("tern load: --fail-if {}: {}\n", condition->text,
                       condition->finding(outcome.result));
  }
  return {};
}

void report(const LoadPlan& plan, const LoadOutcome& outcome, int exit_code) {
  write_results(plan, outcome);
  if (!plan.options.quiet && exit_code != exit_unavailable) {
    const std::string summary = load_summary(plan, outcome);
    // Standard output is the JSON's or the percentiles' when they were asked for there.
    if (plan.options.json_path != "-" && plan.options.hdr_path != "-") {
      print(summary);
    } else {
      [[maybe_unused]] const auto error = write_all(Stream::error, summary);
    }
  }
  if (exit_code != exit_success) {
    [[maybe_unused]] const auto error =
        write_all(Stream::error, failure_line(plan, outcome, exit_code));
  }
}

LoadOutcome run_once(const LoadPlan& plan) {
  ProgressLine line(plan, !plan.options.quiet);
  return run_load(plan, [&](const LoadProgress& progress) { line.show(progress); });
}

// What came of one rate. It holds only if the messages were really sent and answered at that rate.
bool rate_holds(const LoadPlan& plan, const LoadResult& result) {
  constexpr double achieved_min = 0.95;
  const double asked = static_cast<double>(plan.options.rate) *
                       std::chrono::duration<double>(result.elapsed()).count();
  // One more: the span may begin and end between two of them.
  const auto achieved = static_cast<double>(result.measure.messages + 1);
  return result.errors.total() == 0 && result.measure.unanswered == 0 &&
         result.measure.messages > 0 && achieved >= achieved_min * asked &&
         plan.options.find_max->holds(result);
}

void show_probe(const LoadPlan& plan, const LoadOutcome& outcome, bool held) {
  if (plan.options.quiet) return;
  const LoadResult& result = outcome.result;
  const std::string text = fmt::format(
      "find-max    {}/s: {}/s achieved, {}, {}: {}\n", grouped(plan.options.rate),
      grouped(static_cast<std::uint64_t>(result.messages_per_second())),
      plan.options.find_max->finding(result),
      result.errors.total() == 0 ? "no errors" : fmt::format("{} errors", result.errors.total()),
      held ? "holds" : "does not hold");
  [[maybe_unused]] const auto error = write_all(Stream::error, text);
}

// Runs at rate after rate. Afterwards `plan` and `outcome` are of the highest rate that held.
bool search_rate(LoadPlan& plan, LoadOutcome& outcome) {
  LoadPlan probe = plan;
  RateSearch search(plan.options.rate != 0 ? plan.options.rate : first_rate, rate_max);
  while (!search.over()) {
    probe.options.rate = search.next();
    LoadOutcome found = run_once(probe);
    // Nobody there, or no longer: no other rate would go better.
    const int exit_code = exit_code_of(found);
    const bool held = rate_holds(probe, found.result);
    if (found.interrupted || exit_code == exit_unavailable) {
      if (search.best() == 0) {
        plan.options.rate = probe.options.rate;
        outcome = std::move(found);
      }
      return search.best() != 0;
    }
    show_probe(probe, found, held);
    if (held || search.best() == 0) {
      plan.options.rate = probe.options.rate;
      outcome = std::move(found);
    }
    search.tried(held);
  }
  return search.best() != 0;
}

int find_max(const LoadOptions& options) {
  LoadPlan plan = make_load_plan(options);
  LoadOutcome outcome;
  const bool found = search_rate(plan, outcome);
  int exit_code = exit_code_of(outcome);
  if (exit_code == exit_success && !found) exit_code = exit_failure;
  report(plan, outcome, exit_code);
  const std::string& condition = options.find_max->text;
  const std::string text =
      found
          ? fmt::format("find-max    {} holds up to {}/s\n", condition, grouped(plan.options.rate))
          : fmt::format("tern load: --find-max {}: it held at no rate\n", condition);
  if (found && !options.quiet) {
    [[maybe_unused]] const auto error = write_all(
        options.json_path == "-" || options.hdr_path == "-" ? Stream::error : Stream::output, text);
  } else if (!found && outcome.result.errors.total() == 0) {
    [[maybe_unused]] const auto error = write_all(Stream::error, text);
  }
  return exit_code;
}

int load(LoadOptions& options, const ChatLoadOptions& chat, const CLI::App& app) {
  if (chat.is_chosen) {
    refuse_what_no_chat_has(app);
    return load_chat(options, chat);
  }
  settle(options, app);
  if (options.find_max) return find_max(options);
  const LoadPlan plan = make_load_plan(options);
  const LoadOutcome outcome = run_once(plan);
  int exit_code = exit_code_of(outcome);
  if (exit_code == exit_success && broken_condition(plan, outcome) != nullptr) {
    exit_code = exit_failure;
  }
  report(plan, outcome, exit_code);
  return exit_code;
}

// The numbers of options with units are wider than those of LoadOptions.
struct Registered {
  LoadOptions options;
  ChatLoadOptions chat;
  std::uint64_t connections = options.connections;
  std::uint64_t idle = options.idle;
  std::uint64_t depth = options.depth;
  std::uint64_t threads = options.threads;
};

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
            "open loop: messages a second over all connections, sent when planned", 1, rate_max)
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

void add_load_options(CLI::App& app, Registered& registered) {
  LoadOptions& options = registered.options;
  std::string problem;
  Url::parse("tcp://127.0.0.1:7007", options.url, problem);
  app.add_option_function<std::string>(
         "url",
         [&options, &chat = registered.chat](const std::string& text) {
           chat.is_chosen = text.starts_with("chat://");
           options.url = read_remote_url("url", chat.is_chosen ? "tcp" + text.substr(4) : text);
         },
         "the server: tcp://, tls:// or udp://HOST:PORT, unix:/PATH or unix:@NAME; or a chat: "
         "chat://HOST:PORT")
      ->type_name("URL")
      ->default_str(options.url.to_string());
  add_count(app, "-c,--connections", registered.connections, "connections that send messages", 1,
            connections_max);
  add_size(app, "-s,--size", options.message_bytes, "bytes of a message", 1, message_bytes_max);
  add_count(app, "-p,--depth", registered.depth, "unanswered messages on each connection", 1,
            depth_max);
  add_open_loop_options(app, options);
  add_duration(app, "-d,--duration", options.duration, "how long to measure",
               std::chrono::milliseconds(1));
  add_count(app, "-n,--count", options.count,
            "messages in all, instead of a duration; 0: stop by time");
  add_duration(app, "--warmup", options.warmup, "how long to send before measuring begins");
  add_count(app, "-t,--threads", registered.threads, "threads, each with its own event loop", 1,
            threads_max);
  add_duration(app, "--ramp", options.ramp,
               "spread the connects over this time; messages begin when all are open");
  add_count(app, "--idle", registered.idle,
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
  add_chat_load_options(app, registered.chat);
  add_tls_client_options(app, options.tls);
  with_environment(
      app.add_flag("-q,--quiet", options.quiet, "print no progress and no summary, only errors"));
}

}  // namespace

void add_load(CLI::App& app, int& exit_code) {
  auto registered = std::make_shared<Registered>();
  add_load_options(app, *registered);
  app.footer(std::string(examples));
  app.callback([registered, &app, &exit_code] {
    LoadOptions& options = registered->options;
    options.connections = static_cast<std::size_t>(registered->connections);
    options.idle = static_cast<std::size_t>(registered->idle);
    options.depth = static_cast<std::size_t>(registered->depth);
    options.threads = static_cast<unsigned>(registered->threads);
    exit_code = load(options, registered->chat, app);
  });
}

}  // namespace tern::tool
