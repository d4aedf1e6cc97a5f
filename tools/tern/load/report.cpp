#include "tools/tern/load/report.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <array>
#include <cmath>
#include <ctime>
#include <iterator>
#include <optional>

#include "src/support/json_writer.hpp"
#include "tern/reactor.hpp"
#include "tern/version.hpp"
#include "tools/tern/cli/units.hpp"
#include "tools/tern/load/environment.hpp"

namespace tern::tool {
namespace {

// Above this share of its threads' time the loader had no room for a faster server.
constexpr double loader_share_max = 0.95;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double megabytes_per_second(const LoadPlan& plan, const LoadResult& result) {
  return result.messages_per_second() * static_cast<double>(plan.options.message_bytes) / 1e6;
}

std::optional<double> us_per_message(std::optional<double> cpu_s, const LoadResult& result) {
  if (!cpu_s || result.measure.messages == 0) return std::nullopt;
  return *cpu_s * 1e6 / static_cast<double>(result.measure.messages);
}

std::optional<double> per_message(std::optional<std::uint64_t> count, const LoadResult& result) {
  if (!count || result.measure.messages == 0) return std::nullopt;
  return static_cast<double>(*count) / static_cast<double>(result.measure.messages);
}

// Three or four significant digits: "5.21", "52.1", "521", "5,210".
std::string figure(double value) {
  if (!std::isfinite(value) || value < 0) return "-";
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return grouped(static_cast<std::uint64_t>(std::llround(value)));
}

std::string plural(std::uint64_t count, const char* noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

std::string_view latency_meaning(const LoadOptions& options) {
  if (options.is_open_loop()) {
    return options.churn ? "open loop: from the planned time of the connect to the end of the echo"
                         : "open loop: from the planned time of sending, not from the actual one";
  }
  return options.churn ? "closed loop: from the connect to the last byte of the echo"
                       : "closed loop: latency includes queueing";
}

using Lines = std::back_insert_iterator<std::string>;

void line(std::string& text, const char* name, const std::string& value) {
  fmt::format_to(Lines(text), "{:<12}{}\n", name, value);
}

std::string arrivals_text(const LoadOptions& options) {
  return options.arrivals == Arrivals::constant ? "constant"
                                                : fmt::format("poisson, seed {}", options.seed);
}

std::string heading(const LoadPlan& plan, const LoadResult& result) {
  const LoadOptions& options = plan.options;
  const std::string pace =
      options.is_open_loop()
          ? fmt::format("open loop at {}/s ({})", grouped(options.rate), arrivals_text(options))
          : fmt::format("depth {}", options.depth);
  std::string text =
      fmt::format("{}: {}, {} messages, {}, {}", options.url.to_string(),
                  plural(options.connections, "connection"), format_size(options.message_bytes),
                  pace, plural(options.threads, "thread"));
  if (options.churn) text += ", a new connection for each message";
  if (options.idle > 0) text += fmt::format(", {} idle", plural(options.idle, "connection"));
  if (options.by_count()) {
    text += fmt::format(", {}", plural(options.count, "message"));
  } else {
    text += fmt::format(", {} after {} of warm-up", format_duration(options.duration),
                        format_duration(options.warmup));
  }
  if (!result.measured) text += "; ended before anything was measured";
  return text + "\n";
}

void open_loop_lines(std::string& text, const LoadPlan& plan, const LoadResult& result) {
  const auto asked = static_cast<double>(plan.options.rate);
  line(text, "rate",
       fmt::format("{}/s asked, {}/s achieved ({:.2f} %)", grouped(plan.options.rate),
                   figure(result.messages_per_second()),
                   100 * result.messages_per_second() / asked));
  line(text, "lateness us",
       percentiles_text(result.measure.lateness_ns) + " (our sends, behind the plan)");
  if (result.measure.unanswered > 0) {
    line(text, "unanswered",
         fmt::format("{} planned; their latency is missing above",
                     plural(result.measure.unanswered, "message")));
  }
}

void datagram_lines(std::string& text, const LoadResult& result) {
  const DatagramCounts& counts = result.measure.datagrams;
  const double share =
      counts.sent > 0 ? 100.0 * static_cast<double>(counts.lost) / static_cast<double>(counts.sent)
                      : 0.0;
  line(text, "datagrams",
       fmt::format("{} sent, {} lost ({:.3f} %), {} reordered, {} duplicated", grouped(counts.sent),
                   grouped(counts.lost), share, grouped(counts.reordered),
                   grouped(counts.duplicated)));
  if (counts.late + counts.dropped + counts.bounced > 0) {
    line(text, "",
         fmt::format("{} answered too late, {} dropped here for lack of room, {} bounced",
                     grouped(counts.late), grouped(counts.dropped), grouped(counts.bounced)));
  }
}

void error_lines(std::string& text, const LoadErrors& errors) {
  if (errors.total() == 0) {
    line(text, "errors", "none");
    return;
  }
  const char* name = "errors";
  for (std::size_t index = 0; index < load_error_count; ++index) {
    const auto error = static_cast<LoadError>(index);
    if (errors.of(error) == 0) continue;
    line(text, name,
         fmt::format("{} {}; the first: {}", grouped(errors.of(error)), to_string(error),
                     errors.example(error)));
    name = "";
  }
}

void usage_lines(std::string& text, const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadUsage& usage = outcome.usage;
  const double wall_s = seconds(outcome.result.elapsed());
  if (plan.options.server_pid != 0) {
    std::string server = "its processor time could not be read";
    if (const auto us = us_per_message(usage.server_cpu_s, outcome.result)) {
      server = fmt::format("{} us of CPU a message, {:.0f} % of one CPU", figure(*us),
                           100 * *usage.server_cpu_s / wall_s);
    }
    if (const auto switches = per_message(usage.server_switches, outcome.result)) {
      server += fmt::format(", {:.3f} context switches a message", *switches);
    }
    if (usage.server_resident_bytes) {
      server += fmt::format(", {:.1f} MiB resident",
                            static_cast<double>(*usage.server_resident_bytes) / (1024.0 * 1024.0));
    }
    line(text, "server", server);
  }
  if (const auto us = us_per_message(usage.loader_cpu_s, outcome.result)) {
    line(text, "loader",
         fmt::format("{} us of CPU a message, {:.0f} % of the time of its {}", figure(*us),
                     100 * usage.loader_share, plural(plan.options.threads, "thread")));
  }
  const LoadMeasure& measure = outcome.result.measure;
  if (measure.messages > 0 &&
      measure.lateness_ns.percentile(99) * 2 > measure.latency_ns.percentile(99)) {
    line(text, "warning",
         "the loader sent late itself: much of the latency above p99 is its own. Give it a "
         "processor of its own, more --threads, or a lower rate");
  }
  if (usage.loader_share > loader_share_max) {
    line(text, "warning",
         "the loader is at its own limit: a faster server would look the same. Give it more "
         "--threads on more processors, or trust the CPU per message only");
  }
}

// The curve that a plot shows: fine where it bends, to the last message in 100,000.
void add_curve(JsonWriter& json, const Histogram& ns) {
  json.open("latency_percentiles_us");
  for (const double percent : {0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75,
                               99.9, 99.95, 99.975, 99.99, 99.999, 100.0}) {
    json.add(fmt::format("{}", percent), static_cast<double>(ns.percentile(percent)) / 1e3);
  }
  json.close();
}

void add_plan(JsonWriter& json, const LoadPlan& plan) {
  const LoadOptions& options = plan.options;
  add_origin(json, load_schema_version, options.url);
  json.add("connections", options.connections)
      .add("idle_connections", options.idle)
      .add("message_bytes", options.message_bytes)
      .add("depth", options.depth)
      .add("threads", options.threads)
      .add("seed", options.seed)
      .add("warmup_s", options.by_count() ? 0.0 : seconds(options.warmup));
}

void add_mode(JsonWriter& json, const LoadPlan& plan, const LoadResult& result) {
  const LoadOptions& options = plan.options;
  json.add("mode", options.is_open_loop() ? "open_loop" : "closed_loop");
  if (!options.is_open_loop()) return;
  json.add("rate_asked", options.rate)
      .add("arrivals", options.arrivals == Arrivals::constant ? "constant" : "poisson")
      .add("unanswered", result.measure.unanswered);
  add_percentiles(json, "lateness_us", result.measure.lateness_ns);
}

void add_errors(JsonWriter& json, const LoadErrors& errors) {
  json.add("errors", errors.total()).open("errors_by_class");
  for (std::size_t index = 0; index < load_error_count; ++index) {
    const auto error = static_cast<LoadError>(index);
    json.add(to_string(error), errors.of(error));
  }
  json.close();
}

}  // namespace

void add_origin(JsonWriter& json, int schema_version, const Url& url) {
  json.add("schema_version", schema_version)
      .add("tool_version", version_text())
      .add("poller", Reactor::poller_name())
      .add("measured_at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))))
      .add("url", url.to_string());
}

void add_environment(JsonWriter& json, const std::string& server_processors) {
  const LoadEnvironment environment = load_environment();
  json.open("environment")
      .add("kernel", environment.kernel)
      .add("cpu_model", environment.cpu_model)
      .add("cpus", environment.cpus)
      .add("cpus_allowed", environment.cpus_allowed)
      .add("governor", environment.governor)
      .add("compiler", environment.compiler)
      .add("commit", environment.commit)
      .add("descriptors_max", environment.descriptors_max);
  if (!server_processors.empty()) json.add("server_cpus_allowed", server_processors);
  json.close();
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string percentiles_text(const Histogram& ns) {
  if (ns.count() == 0) return "nothing was measured";
  const auto us = [&](double percent) {
    return figure(static_cast<double>(ns.percentile(percent)) / 1e3);
  };
  return fmt::format("p50 {}  p90 {}  p99 {}  p99.9 {}  max {}  mean {}", us(50), us(90), us(99),
                     us(99.9), figure(static_cast<double>(ns.maximum()) / 1e3),
                     figure(ns.mean() / 1e3));
}

void add_percentiles(JsonWriter& json, std::string_view key, const Histogram& ns) {
  const auto us = [&](double percent) { return static_cast<double>(ns.percentile(percent)) / 1e3; };
  json.open(key)
      .add("p50", us(50))
      .add("p90", us(90))
      .add("p99", us(99))
      .add("p99_9", us(99.9))
      .add("max", static_cast<double>(ns.maximum()) / 1e3)
      .add("mean", ns.mean() / 1e3)
      .add("count", ns.count())
      .close();
}

std::string load_summary(const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadResult& result = outcome.result;
  std::string text = heading(plan, result);
  if (outcome.interrupted) line(text, "stopped", "by a signal; what was measured until then:");
  line(text, "messages",
       fmt::format("{} in {:.2f} s: {}/s, {} MB/s each way", grouped(result.measure.messages),
                   seconds(result.elapsed()), figure(result.messages_per_second()),
                   figure(megabytes_per_second(plan, result))));
  line(text, "latency us", percentiles_text(result.measure.latency_ns));
  line(text, "", std::string(latency_meaning(plan.options)));
  if (plan.options.is_open_loop()) open_loop_lines(text, plan, result);
  if (result.measure.latency_ns.overflow() > 0) {
    line(text, "",
         fmt::format("{} were above {:.0f} s and are counted as that",
                     grouped(result.measure.latency_ns.overflow()),
                     static_cast<double>(Histogram::value_max) / 1e9));
  }
  const ConnectCounts& connects = result.measure.connects;
  if (connects.connect_ns.count() > 0) {
    line(text, "connect us", percentiles_text(connects.connect_ns));
  }
  if (connects.handshake_ns.count() > 0) {
    line(text, "tls us", percentiles_text(connects.handshake_ns));
    line(text, "",
         fmt::format("{}, {} of them resumed", plural(connects.handshake_ns.count(), "handshake"),
                     grouped(connects.resumed)));
  }
  if (plan.options.is_datagram()) datagram_lines(text, result);
  error_lines(text, result.errors);
  usage_lines(text, plan, outcome);
  return text;
}

std::string load_json(const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadResult& result = outcome.result;
  JsonWriter json;
  json.open();
  add_plan(json, plan);
  const ConnectCounts& connects = result.measure.connects;
  add_mode(json, plan, result);
  json.add("churn", plan.options.churn)
      .add("interrupted", outcome.interrupted)
      .add("connections_opened", connects.opened)
      .add("duration_s", seconds(result.elapsed()))
      .add("messages", result.measure.messages)
      .add("messages_per_second", result.messages_per_second())
      .add("megabytes_per_second", megabytes_per_second(plan, result));
  add_percentiles(json, "latency_us", result.measure.latency_ns);
  add_curve(json, result.measure.latency_ns);
  add_percentiles(json, "connect_us", connects.connect_ns);
  if (plan.tls != nullptr) {
    add_percentiles(json, "handshake_us", connects.handshake_ns);
    json.add("handshakes_resumed", connects.resumed);
  }
  add_errors(json, result.errors);
  if (plan.options.is_datagram()) {
    const DatagramCounts& counts = result.measure.datagrams;
    json.add("sent", counts.sent)
        .add("lost", counts.lost)
        .add("late", counts.late)
        .add("reordered", counts.reordered)
        .add("duplicated", counts.duplicated)
        .add("dropped_locally", counts.dropped)
        .add("bounced", counts.bounced);
  }
  const auto& resident = outcome.usage.server_resident_bytes;
  json.add("server_cpu_us_per_message", us_per_message(outcome.usage.server_cpu_s, result))
      .add("server_resident_bytes",
           resident ? std::optional(static_cast<double>(*resident)) : std::nullopt)
      .add("server_context_switches_per_message",
           per_message(outcome.usage.server_switches, result))
      .add("loader_cpu_us_per_message", us_per_message(outcome.usage.loader_cpu_s, result))
      .add("loader_cpu_share", outcome.usage.loader_share);
  add_environment(json, outcome.usage.server_processors);
  return json.close().text();
}

std::string load_progress_line(const LoadPlan& plan, const LoadProgress& progress,
                               double messages_per_second) {
  std::string text;
  if (progress.connecting) {
    text = fmt::format("connecting: {} of {}", grouped(progress.clients_open),
                       grouped(plan.clients()));
  } else if (!progress.measuring) {
    text = "warming up";
  } else {
    text = fmt::format("{:.1f} s  {} messages  {}/s", seconds(progress.elapsed),
                       grouped(progress.messages), figure(messages_per_second));
  }
  if (progress.errors > 0) text += fmt::format("  {} errors", grouped(progress.errors));
  return text;
}

}  // namespace tern::tool
