// What a run measured, and the one list of what is told of it.
//
//   Each worker fills a result of its own; they are merged at the end. From load_fields follow the
//   merging, the JSON with its schema, the lines of the summary, the conditions of --fail-if, what
//   tern compare looks at, and the table in docs/tern.md. A new measure is a member of LoadMeasure
//   and its row; without the row nothing compiles.
//
//   Plain values. THREAD: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "tern/time.hpp"
#include "tools/tern/load/field.hpp"
#include "tools/tern/load/histogram.hpp"
#include "tools/tern/load/plan.hpp"

namespace tern::tool {

enum class LoadError : std::uint8_t {
  connect_refused,    // nobody listens there
  connect_timed_out,  // not open within --timeout
  connect_failed,     // any other reason that a connection or a socket could not be opened
  answer_timed_out,   // nothing came within --timeout although an answer was due
  wrong_bytes,        // not the bytes that were sent
  surplus_bytes,      // more bytes than were sent
  ended_by_server,    // the stream ended before all was answered
  reset_by_server,    // the connection was reset
  connection_failed,  // it ended by any other error
  all_lost,           // UDP: not one datagram was answered
};

// "connect_refused", ...: the keys of errors_by_class in JSON. Empty for what is no error.
constexpr std::string_view to_string(LoadError error) {
  switch (error) {
    case LoadError::connect_refused:
      return "connect_refused";
    case LoadError::connect_timed_out:
      return "connect_timed_out";
    case LoadError::connect_failed:
      return "connect_failed";
    case LoadError::answer_timed_out:
      return "answer_timed_out";
    case LoadError::wrong_bytes:
      return "wrong_bytes";
    case LoadError::surplus_bytes:
      return "surplus_bytes";
    case LoadError::ended_by_server:
      return "ended_by_server";
    case LoadError::reset_by_server:
      return "reset_by_server";
    case LoadError::connection_failed:
      return "connection_failed";
    case LoadError::all_lost:
      return "all_lost";
  }
  return {};
}

inline constexpr std::size_t load_error_count = [] {
  std::size_t count = 0;
  while (!to_string(static_cast<LoadError>(count)).empty()) ++count;
  return count;
}();

class LoadErrors {
 public:
  // `example` is one line: which connection, where, what. The first of each class is kept.
  void add(LoadError error, std::string example, std::uint64_t times = 1);
  void merge(const LoadErrors& other);

  std::uint64_t total() const;
  std::uint64_t of(LoadError error) const { return counts_[static_cast<std::size_t>(error)]; }
  const std::string& example(LoadError error) const {
    return examples_[static_cast<std::size_t>(error)];
  }

 private:
  std::array<std::uint64_t, load_error_count> counts_{};
  std::array<std::string, load_error_count> examples_;
};

// What is counted while measuring. What each means is said in the table below.
struct LoadMeasure {
  Histogram latency_ns;
  Histogram lateness_ns;
  Histogram connect_ns;
  Histogram handshake_ns;
  std::uint64_t connections_opened = 0;
  std::uint64_t handshakes_resumed = 0;
  std::uint64_t messages = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t late = 0;
  std::uint64_t reordered = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t dropped_locally = 0;
  std::uint64_t bounced = 0;

  // When the warm-up ends. Connections that were made before it are kept, unless each message has
  // its own.
  void reset(bool connects_too);
  void merge(const LoadMeasure& other);
};

struct LoadResult {
  LoadMeasure measure;
  LoadErrors errors;
  bool reached = false;           // whether any connection was ever opened
  std::uint64_t idle_opened = 0;  // idle ones that were opened and exchanged their message
  Time from{};                    // the measured span; both equal when nothing was measured
  Time until{};
  bool measured = false;

  Duration elapsed() const { return measured ? until - from : Duration::zero(); }
  double messages_per_second() const;
  void merge(const LoadResult& other);
};

// The processor time and memory of the server and of ourselves over the measured span.
struct LoadUsage {
  std::optional<double> server_cpu_s;
  std::optional<std::uint64_t> server_resident_bytes;
  std::string server_processors;
  std::optional<std::uint64_t> server_switches;  // between its threads and others
  double loader_cpu_s = 0;
  // Of the time that our threads could have used on the processors we may run on.
  double loader_share = 0;
};

struct LoadOutcome {
  LoadResult result;
  LoadUsage usage;
  bool interrupted = false;
};

// A run that is over: what was asked for and what came of it. Refers to both.
struct LoadRecord {
  const LoadPlan& plan;
  const LoadOutcome& outcome;

  const LoadOptions& options() const { return plan.options; }
  const LoadResult& result() const { return outcome.result; }
  const LoadMeasure& measure() const { return outcome.result.measure; }
  double megabytes_per_second() const;
  // Nothing where the amount is not known, or no message was answered.
  std::optional<double> per_message(std::optional<double> amount) const;
  std::optional<double> us_per_message(std::optional<double> cpu_s) const;
  std::optional<double> switches_per_message() const;
};

// --- the table -----------------------------------------------------------------------------------

// The runs that have a field; of others it is neither written nor printed.
enum class Scope : std::uint8_t { every_run, open_loop, tls, datagrams };
bool is_in(Scope scope, const LoadPlan& plan);

// A workload is what two runs must have in common to be compared; a setting may differ.
enum class Role : std::uint8_t { measure, setting, workload };

// How tern compare shows it; without a name it does not.
struct Compared {
  enum class Decides : std::uint8_t { never, closed_loop, open_loop, always };

  std::string_view name;
  bool more_is_better = false;
  Decides decides = Decides::never;
};

using LoadCount = std::uint64_t LoadMeasure::*;
using LoadHistogram = Histogram LoadMeasure::*;

// Where the summary shows it. Counts of one line stand side by side, in the order of the table.
struct Printed {
  // `own`: one to itself, if it is not 0, behind others of its scope. `always`: also if it is.
  // `rare`: of datagrams; none if all of them are 0.
  enum class Line : std::uint8_t { none, own, always, handshakes, datagrams, rare };

  Line line = Line::none;
  std::string_view label = {};   // of a line to itself
  std::string_view noun = {};    // of a count: one of what is counted
  std::string_view text = {};    // behind the number
  LoadCount share_of = nullptr;  // of a count: what it is a part of, to be shown in percent
};

struct LoadField {
  std::string_view name;  // the key in JSON; its end is its unit
  std::variant<FieldValue (*)(const LoadRecord&), LoadCount, LoadHistogram> source;
  std::string_view meaning;
  Scope scope = Scope::every_run;
  Role role = Role::measure;
  std::span<const std::string_view> choices = {};  // of a text: all that it can be
  std::string_view condition = {};                 // its name for --fail-if
  Compared compared = {};
  Printed printed = {};
  bool outlives_warmup = false;  // see LoadMeasure::reset()
};

// REQUIRES the record to outlive what is returned.
FieldValue value_of(const LoadField& field, const LoadRecord& record);

inline constexpr std::array<std::string_view, 2> load_modes{"closed_loop", "open_loop"};
inline constexpr std::array<std::string_view, 2> arrivals_names{"constant", "poisson"};
static_assert(static_cast<std::size_t>(Arrivals::poisson) + 1 == arrivals_names.size());

template <auto member>
FieldValue option(const LoadRecord& run) {
  return run.options().*member;
}

// In the order in which they are written.
inline constexpr std::array load_fields = std::to_array<LoadField>({
    {.name = "connections",
     .source = option<&LoadOptions::connections>,
     .meaning = "that send messages",
     .role = Role::workload},
    {.name = "idle_connections",
     .source = option<&LoadOptions::idle>,
     .meaning = "further ones, held open without traffic",
     .role = Role::workload},
    {.name = "message_bytes",
     .source = option<&LoadOptions::message_bytes>,
     .meaning = "the size of a message",
     .role = Role::workload},
    {.name = "depth",
     .source = option<&LoadOptions::depth>,
     .meaning = "closed loop: unanswered messages on each connection",
     .role = Role::workload},
    {.name = "threads",
     .source = option<&LoadOptions::threads>,
     .meaning = "of the loader",
     .role = Role::workload},
    {.name = "seed",
     .source = option<&LoadOptions::seed>,
     .meaning = "of the pattern that is sent, and of random arrivals",
     .role = Role::setting},
    {.name = "warmup_s",
     .source = [](const LoadRecord& run) -> FieldValue {
       const LoadOptions& options = run.options();
       return options.by_count() ? 0.0 : std::chrono::duration<double>(options.warmup).count();
     },
     .meaning = "how long messages were sent before measuring began",
     .role = Role::setting},
    {.name = "mode",
     .source = [](const LoadRecord& run) -> FieldValue {
       return std::string(load_modes[run.options().is_open_loop() ? 1 : 0]);
     },
     .meaning = "whether answers are waited for, or messages leave when they are planned",
     .role = Role::workload,
     .choices = load_modes},
    {.name = "rate_asked",
     .source = option<&LoadOptions::rate>,
     .meaning = "messages a second that were planned",
     .scope = Scope::open_loop,
     .role = Role::workload},
    {.name = "arrivals",
     .source = [](const LoadRecord& run) -> FieldValue {
       return std::string(arrivals_names[static_cast<std::size_t>(run.options().arrivals)]);
     },
     .meaning = "the gaps between planned messages",
     .scope = Scope::open_loop,
     .role = Role::workload,
     .choices = arrivals_names},
    {.name = "unanswered",
     .source = &LoadMeasure::unanswered,
     .meaning = "messages planned, and not answered when their client ended",
     .scope = Scope::open_loop,
     .printed = {.line = Printed::Line::own,
                 .label = "unanswered",
                 .noun = "message",
                 .text = "planned; their latency is missing above"}},
    {.name = "lateness_us",
     .source = &LoadMeasure::lateness_ns,
     .meaning = "of the loader's sends, behind the plan",
     .scope = Scope::open_loop,
     .printed = {.line = Printed::Line::always,
                 .label = "lateness us",
                 .text = "(our sends, behind the plan)"}},
    {.name = "churn",
     .source = option<&LoadOptions::churn>,
     .meaning = "whether each message had a connection of its own",
     .role = Role::workload},
    {.name = "interrupted",
     .source = [](const LoadRecord& run) -> FieldValue { return run.outcome.interrupted; },
     .meaning = "whether a signal ended the run",
     .role = Role::setting},
    {.name = "connections_opened",
     .source = &LoadMeasure::connections_opened,
     .meaning = "connections made to send messages; with churn, in the measured span",
     .outlives_warmup = true},
    {.name = "duration_s",
     .source = [](const LoadRecord& run)
         -> FieldValue { return std::chrono::duration<double>(run.result().elapsed()).count(); },
     .meaning = "the measured span"},
    {.name = "messages",
     .source = &LoadMeasure::messages,
     .meaning = "sent, answered and verified"},
    {.name = "messages_per_second",
     .source =
         [](const LoadRecord& run) -> FieldValue { return run.result().messages_per_second(); },
     .meaning = "messages by duration_s",
     .condition = "rate",
     .compared = {"messages/s", true, Compared::Decides::closed_loop}},
    {.name = "megabytes_per_second",
     .source = [](const LoadRecord& run) -> FieldValue { return run.megabytes_per_second(); },
     .meaning = "bytes of messages each way, in millions"},
    {.name = "latency_us",
     .source = &LoadMeasure::latency_ns,
     .meaning = "closed loop: from sending to the answer; open loop: from the planned time",
     .compared = {"us", false, Compared::Decides::open_loop}},
    {.name = "latency_percentiles_us",
     .source = [](const LoadRecord& run) -> FieldValue { return Curve{&run.measure().latency_ns}; },
     .meaning = "the same by percentile, for a plot"},
    {.name = "connect_us",
     .source = &LoadMeasure::connect_ns,
     .meaning = "until a connection was open, without its handshake",
     .printed = {.line = Printed::Line::own, .label = "connect us"},
     .outlives_warmup = true},
    {.name = "handshake_us",
     .source = &LoadMeasure::handshake_ns,
     .meaning = "from then on, until both sides had agreed",
     .scope = Scope::tls,
     .printed = {.line = Printed::Line::own, .label = "tls us"},
     .outlives_warmup = true},
    {.name = "handshakes_resumed",
     .source = &LoadMeasure::handshakes_resumed,
     .meaning = "of the handshakes, those that resumed a session",
     .scope = Scope::tls,
     .printed = {.line = Printed::Line::handshakes, .text = "of them resumed"},
     .outlives_warmup = true},
    {.name = "errors",
     .source = [](const LoadRecord& run) -> FieldValue { return run.result().errors.total(); },
     .meaning = "answers that were wrong, late, too long or missing, and connections that failed",
     .condition = "errors"},
    {.name = "errors_by_class",
     .source = [](const LoadRecord& run) -> FieldValue { return &run.result().errors; },
     .meaning = "the same, one by one"},
    {.name = "sent",
     .source = &LoadMeasure::sent,
     .meaning = "datagrams",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::datagrams, .text = "sent"}},
    {.name = "lost",
     .source = &LoadMeasure::lost,
     .meaning = "datagrams not answered within --udp-timeout",
     .scope = Scope::datagrams,
     .condition = "lost",
     .printed = {.line = Printed::Line::datagrams, .text = "lost", .share_of = &LoadMeasure::sent}},
    {.name = "late",
     .source = &LoadMeasure::late,
     .meaning = "of the lost ones, those whose answer came after all",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::rare, .text = "answered too late"}},
    {.name = "reordered",
     .source = &LoadMeasure::reordered,
     .meaning = "answered after one that was sent later",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::datagrams, .text = "reordered"}},
    {.name = "duplicated",
     .source = &LoadMeasure::duplicated,
     .meaning = "answers beyond the first",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::datagrams, .text = "duplicated"}},
    {.name = "dropped_locally",
     .source = &LoadMeasure::dropped_locally,
     .meaning = "of the lost ones, those that the loader's own kernel had no room for",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::rare, .text = "dropped here for lack of room"}},
    {.name = "bounced",
     .source = &LoadMeasure::bounced,
     .meaning = "reports of the network that a datagram did not arrive",
     .scope = Scope::datagrams,
     .printed = {.line = Printed::Line::rare, .text = "bounced"}},
    {.name = "server_cpu_us_per_message",
     .source = [](const LoadRecord& run)
         -> FieldValue { return run.us_per_message(run.outcome.usage.server_cpu_s); },
     .meaning = "with --server-pid: processor time of the server",
     .compared = {"server CPU us", false, Compared::Decides::always}},
    {.name = "server_resident_bytes",
     .source = [](const LoadRecord& run)
         -> FieldValue { return std::optional<double>(run.outcome.usage.server_resident_bytes); },
     .meaning = "with --server-pid: its memory at the end"},
    {.name = "server_context_switches_per_message",
     .source = [](const LoadRecord& run) -> FieldValue { return run.switches_per_message(); },
     .meaning = "with --server-pid: between its threads and others"},
    {.name = "loader_cpu_us_per_message",
     .source = [](const LoadRecord& run)
         -> FieldValue { return run.us_per_message(run.outcome.usage.loader_cpu_s); },
     .meaning = "processor time of the loader",
     .compared = {"loader CPU us"}},
    {.name = "loader_cpu_share",
     .source = [](const LoadRecord& run) -> FieldValue { return run.outcome.usage.loader_share; },
     .meaning = "of the time that the loader's threads could have used"},
});

}  // namespace tern::tool
