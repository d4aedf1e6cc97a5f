#include "tools/tern/load/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <variant>

#include "tools/tern/cli/units.hpp"
#include "tools/tern/load/origin.hpp"

namespace tern::tool {

namespace {

using support::JsonWriter;

// Above this share of its threads' time the loader had no room for a faster server.
constexpr double loader_share_max = 0.95;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Three or four significant digits: "5.21", "52.1", "521", "5,210".
std::string figure(double value) {
  if (!std::isfinite(value) || value < 0) return "-";
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return grouped(static_cast<std::uint64_t>(std::llround(value)));
}

std::string plural(std::uint64_t count, std::string_view noun) {
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

void line(std::string& text, std::string_view name, const std::string& value) {
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

std::uint64_t count_of(const LoadField& field, const LoadMeasure& measure) {
  return measure.*std::get<LoadCount>(field.source);
}

// "10 lost (0.001 %)"
std::string count_text(const LoadField& field, const LoadMeasure& measure) {
  const Printed& printed = field.printed;
  const std::uint64_t count = count_of(field, measure);
  std::string text = printed.noun.empty() ? grouped(count) : plural(count, printed.noun);
  text += fmt::format(" {}", printed.text);
  if (printed.share_of == nullptr) return text;
  const auto all = static_cast<double>(measure.*printed.share_of);
  return text +
         fmt::format(" ({:.3f} %)", all > 0 ? 100.0 * static_cast<double>(count) / all : 0.0);
}

bool is_of(Printed::Line shown, const LoadField& field) {
  return field.printed.line == shown && std::holds_alternative<LoadCount>(field.source);
}

// The counts that stand side by side.
std::string counts_text(Printed::Line shown, const LoadMeasure& measure) {
  std::string text;
  for (const LoadField& field : load_fields) {
    if (!is_of(shown, field)) continue;
    text += (text.empty() ? "" : ", ") + count_text(field, measure);
  }
  return text;
}

// What has a line to itself: histograms, then counts.
void own_lines(std::string& text, Scope scope, const LoadMeasure& measure) {
  for (const LoadField& field : load_fields) {
    const LoadHistogram* member = std::get_if<LoadHistogram>(&field.source);
    const Printed& printed = field.printed;
    if (member == nullptr || field.scope != scope || printed.line == Printed::Line::none) continue;
    const Histogram& ns = measure.*(*member);
    if (ns.count() == 0 && printed.line != Printed::Line::always) continue;
    line(
        text, printed.label,
        fmt::format("{}{}{}", percentiles_text(ns), printed.text.empty() ? "" : " ", printed.text));
  }
  for (const LoadField& field : load_fields) {
    if (!is_of(Printed::Line::own, field) || field.scope != scope) continue;
    if (count_of(field, measure) == 0) continue;
    line(text, field.printed.label, count_text(field, measure));
  }
}

void open_loop_lines(std::string& text, const LoadPlan& plan, const LoadResult& result) {
  const auto asked = static_cast<double>(plan.options.rate);
  line(text, "rate",
       fmt::format("{}/s asked, {}/s achieved ({:.2f} %)", grouped(plan.options.rate),
                   figure(result.messages_per_second()),
                   100 * result.messages_per_second() / asked));
  own_lines(text, Scope::open_loop, result.measure);
}

void handshake_lines(std::string& text, const LoadMeasure& measure) {
  own_lines(text, Scope::tls, measure);
  const std::uint64_t handshakes = measure.handshake_ns.count();
  if (handshakes == 0) return;
  line(text, "",
       plural(handshakes, "handshake") + ", " + counts_text(Printed::Line::handshakes, measure));
}

void datagram_lines(std::string& text, const LoadMeasure& measure) {
  line(text, "datagrams", counts_text(Printed::Line::datagrams, measure));
  const bool has_rare =
      std::any_of(load_fields.begin(), load_fields.end(), [&](const LoadField& field) {
        return is_of(Printed::Line::rare, field) && count_of(field, measure) > 0;
      });
  if (has_rare) line(text, "", counts_text(Printed::Line::rare, measure));
  own_lines(text, Scope::datagrams, measure);
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

void usage_lines(std::string& text, const LoadRecord& record) {
  const LoadUsage& usage = record.outcome.usage;
  const double wall_s = seconds(record.result().elapsed());
  if (record.options().server_pid != 0) {
    std::string server = "its processor time could not be read";
    if (const auto us = record.us_per_message(usage.server_cpu_s)) {
      server = fmt::format("{} us of CPU a message, {:.0f} % of one CPU", figure(*us),
                           100 * *usage.server_cpu_s / wall_s);
    }
    if (const auto switches = record.switches_per_message()) {
      server += fmt::format(", {:.3f} context switches a message", *switches);
    }
    if (usage.server_resident_bytes) {
      server += fmt::format(", {:.1f} MiB resident",
                            static_cast<double>(*usage.server_resident_bytes) / (1024.0 * 1024.0));
    }
    line(text, "server", server);
  }
  if (const auto us = record.us_per_message(usage.loader_cpu_s)) {
    line(text, "loader",
         fmt::format("{} us of CPU a message, {:.0f} % of the time of its {}", figure(*us),
                     100 * usage.loader_share, plural(record.options().threads, "thread")));
  }
  const LoadMeasure& measure = record.measure();
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

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string percentiles_text(const Histogram& ns) {
  if (ns.count() == 0) return "nothing was measured";
  std::string text;
  for (const Statistic& statistic : statistics) {
    if (!statistic.in_results) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", statistic.name,
                        figure(statistic.of(ns) / 1e3));
  }
  return text;
}

std::string load_summary(const LoadRecord& record) {
  const LoadResult& result = record.result();
  const LoadMeasure& measure = record.measure();
  std::string text = heading(record.plan, result);
  if (record.outcome.interrupted) {
    line(text, "stopped", "by a signal; what was measured until then:");
  }
  line(text, "messages",
       fmt::format("{} in {:.2f} s: {}/s, {} MB/s each way", grouped(measure.messages),
                   seconds(result.elapsed()), figure(result.messages_per_second()),
                   figure(record.megabytes_per_second())));
  line(text, "latency us", percentiles_text(measure.latency_ns));
  line(text, "", std::string(latency_meaning(record.options())));
  if (record.options().is_open_loop()) open_loop_lines(text, record.plan, result);
  if (measure.latency_ns.overflow() > 0) {
    line(text, "",
         fmt::format("{} were above {:.0f} s and are counted as that",
                     grouped(measure.latency_ns.overflow()),
                     static_cast<double>(Histogram::value_max) / 1e9));
  }
  own_lines(text, Scope::every_run, measure);
  handshake_lines(text, measure);
  if (record.options().is_datagram()) datagram_lines(text, measure);
  error_lines(text, result.errors);
  usage_lines(text, record);
  return text;
}

std::string load_json(const LoadRecord& record) {
  support::JsonWriter json;
  json.open();
  add_origin(json, {load_schema_version, record.options().url});
  for (const LoadField& field : load_fields) {
    if (is_in(field.scope, record.plan)) add_field(json, field.name, value_of(field, record));
  }
  add_environment(json, record.outcome.usage.server_processors);
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
