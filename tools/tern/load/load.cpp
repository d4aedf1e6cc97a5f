// tern load: measures an echo server, and verifies every byte it sends back.
//
//   LoadOptions ─► LoadPlan ─► LoadRun ─► LoadWorker (one a thread) ─► Traffic ─► the server
//                                  │              │
//                   report ◄── LoadOutcome ◄── LoadResult, merged
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "backends/system/console.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/load/chat.hpp"
#include "tools/tern/load/command_line.hpp"
#include "tools/tern/load/histogram_text.hpp"
#include "tools/tern/load/report.hpp"
#include "tools/tern/load/result_file.hpp"
#include "tools/tern/load/run.hpp"
#include "tools/tern/load/search.hpp"

namespace tern::tool {
namespace {

constexpr std::uint64_t first_rate = 1000;  // of --find-max

// A line on the terminal that is written over itself; nothing where there is no terminal.
class ProgressLine {
 public:
  ProgressLine(const LoadPlan& plan, bool wanted)
      : plan_(plan), shown_(wanted && is_terminal(system::Stream::error)) {}
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
    [[maybe_unused]] const auto error = write_all(system::Stream::error, text);
  }

  const LoadPlan& plan_;
  bool shown_;
  LoadProgress before_;
};

void write_results(const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadOptions& options = plan.options;
  if (!options.json_path.empty()) {
    write_result_file("--json", options.json_path, load_json({plan, outcome}));
  }
  if (!options.hdr_path.empty()) {
    constexpr double microsecond_ns = 1e3;
    write_result_file("--hdr", options.hdr_path,
                      percentile_text(outcome.result.measure.latency_ns, microsecond_ns));
  }
}

int exit_code_of(const LoadOutcome& outcome) {
  const LoadResult& result = outcome.result;
  if (outcome.interrupted && result.errors.total() == 0) return exit_success;
  // A datagram socket is open at once: that nobody listens shows by what comes back.
  const bool unheard = result.errors.of(LoadError::all_lost) > 0 && result.measure.bounced > 0;
  if (!result.reached || unheard) return exit_unavailable;
  return result.errors.total() == 0 ? exit_success : exit_failure;
}

// The first condition of --fail-if that holds; null: none does.
const LoadCondition* broken_condition(const LoadPlan& plan, const LoadOutcome& outcome) {
  for (const LoadCondition& condition : plan.options.fail_if) {
    if (condition.holds({plan, outcome})) return &condition;
  }
  return nullptr;
}

// REQUIRES there are any.
LoadError first_error(const LoadErrors& errors) {
  std::size_t index = 0;
  while (index + 1 < load_error_count && errors.of(static_cast<LoadError>(index)) == 0) ++index;
  return static_cast<LoadError>(index);
}

// What a failed run comes to in one line, for standard error.
std::string failure_line(const LoadPlan& plan, const LoadOutcome& outcome, int exit_code) {
  const LoadErrors& errors = outcome.result.errors;
  if (errors.total() > 0 && exit_code == exit_unavailable) {
    return fmt::format(
        "tern load: nobody answers: {}; start the server first, or correct the URL\n",
        errors.example(first_error(errors)));
  }
  if (errors.total() > 0) {
    const LoadError error = first_error(errors);
    return fmt::format("tern load: {} errors; the first {}: {}\n", grouped(errors.total()),
                       to_string(error), errors.example(error));
  }
  if (const LoadCondition* condition = broken_condition(plan, outcome)) {
    return fmt::format("tern load: --fail-if {}: {}\n", condition->text,
                       condition->finding({plan, outcome}));
  }
  return {};
}

// The files last: a disk that is full by then costs these, and not what was measured.
void report(const LoadPlan& plan, const LoadOutcome& outcome, int exit_code) {
  if (!plan.options.quiet && exit_code != exit_unavailable) {
    const std::string summary = load_summary({plan, outcome});
    if (!plan.options.is_output_taken()) {
      print(summary);
    } else {
      [[maybe_unused]] const auto error = write_all(system::Stream::error, summary);
    }
  }
  if (exit_code != exit_success) {
    [[maybe_unused]] const auto error =
        write_all(system::Stream::error, failure_line(plan, outcome, exit_code));
  }
  write_results(plan, outcome);
}

LoadOutcome run_once(const LoadPlan& plan, LoadInterrupt& interrupt) {
  ProgressLine line(plan, !plan.options.quiet);
  return run_load(plan, interrupt, [&](const LoadProgress& progress) { line.show(progress); });
}

// What came of one rate. It holds only if the messages were really sent and answered at that rate.
bool rate_holds(const LoadPlan& plan, const LoadOutcome& outcome) {
  const LoadResult& result = outcome.result;
  constexpr double achieved_min = 0.95;
  const double asked = static_cast<double>(plan.options.rate) *
                       std::chrono::duration<double>(result.elapsed()).count();
  // One more: the span may begin and end between two of them.
  const auto achieved = static_cast<double>(result.measure.messages + 1);
  return result.errors.total() == 0 && result.measure.unanswered == 0 &&
         result.measure.messages > 0 && achieved >= achieved_min * asked &&
         plan.options.find_max->holds({plan, outcome});
}

void show_probe(const LoadPlan& plan, const LoadOutcome& outcome, bool held) {
  if (plan.options.quiet) return;
  const LoadResult& result = outcome.result;
  const std::string text = fmt::format(
      "find-max    {}/s: {}/s achieved, {}, {}: {}\n", grouped(plan.options.rate),
      grouped(static_cast<std::uint64_t>(result.messages_per_second())),
      plan.options.find_max->finding({plan, outcome}),
      result.errors.total() == 0 ? "no errors" : fmt::format("{} errors", result.errors.total()),
      held ? "holds" : "does not hold");
  [[maybe_unused]] const auto error = write_all(system::Stream::error, text);
}

// What the search for the highest rate came to.
struct FoundRate {
  LoadPlan plan;  // with its outcome: of the highest rate that held, else of the last one tried
  LoadOutcome outcome;
  std::uint64_t held = 0;  // the highest rate, 0: none
  bool interrupted = false;
  std::string gone;  // why no further rate could be tried
};

// Errors may be the rate's; that nobody is there any more is not.
bool is_answering(const LoadPlan& plan, LoadInterrupt& interrupt) {
  LoadOptions one = plan.options;
  one.rate = one.idle = 0;
  one.connections = one.threads = one.depth = 1;
  one.count = 1;
  one.ramp = Duration::zero();
  const LoadOutcome outcome = run_load(make_load_plan(one), interrupt, [](const LoadProgress&) {});
  return exit_code_of(outcome) != exit_unavailable;
}

FoundRate search_rate(LoadPlan plan) {
  FoundRate found;
  LoadInterrupt interrupt;
  RateSearch search(plan.options.rate != 0 ? plan.options.rate : first_rate, load_rate_max);
  while (!search.over() && found.gone.empty() && !found.interrupted) {
    plan.options.rate = search.next();
    LoadOutcome outcome = run_once(plan, interrupt);
    const bool is_whole = !outcome.interrupted;
    const bool is_unheard = exit_code_of(outcome) == exit_unavailable;
    const LoadErrors& errors = outcome.result.errors;
    const bool held = is_whole && rate_holds(plan, outcome);
    if (is_whole && !is_unheard) show_probe(plan, outcome, held);
    const bool is_doubtful = is_whole && errors.total() > 0 && !plan.options.is_datagram();
    if (is_unheard || (is_doubtful && !is_answering(plan, interrupt))) {
      found.gone = errors.example(first_error(errors));
    }
    if (held || search.best() == 0) {
      found.plan = plan;
      found.outcome = std::move(outcome);
    }
    if (is_whole && found.gone.empty()) search.tried(held);
    found.interrupted = interrupt.happened();
  }
  found.held = search.best();
  return found;
}

// The line behind the summary. Empty where the run's own failure says it all.
std::string finding_line(const FoundRate& found, const std::string& condition) {
  if (!found.gone.empty()) {
    if (found.held == 0) return {};
    return fmt::format("tern load: --find-max {}: it held up to {}/s, then nobody answered: {}\n",
                       condition, grouped(found.held), found.gone);
  }
  if (found.held != 0) {
    return fmt::format("find-max    {}{} holds up to {}/s\n", found.interrupted ? "stopped; " : "",
                       condition, grouped(found.held));
  }
  if (found.interrupted) {
    return fmt::format("find-max    stopped before {} had held at any rate\n", condition);
  }
  if (found.outcome.result.errors.total() > 0) return {};
  return fmt::format("tern load: --find-max {}: it held at no rate\n", condition);
}

int find_max(const LoadOptions& options) {
  const FoundRate found = search_rate(make_load_plan(options));
  int exit_code = exit_code_of(found.outcome);
  const bool has_result = found.gone.empty() && (found.held != 0 || found.interrupted);
  if (exit_code == exit_success && !has_result) exit_code = exit_failure;
  report(found.plan, found.outcome, exit_code);
  if (exit_code == exit_success && options.quiet) return exit_code;
  const bool is_free = !options.is_output_taken();
  [[maybe_unused]] const auto error = write_all(
      exit_code == exit_success && is_free ? system::Stream::output : system::Stream::error,
      finding_line(found, options.find_max->text));
  return exit_code;
}

int load(const LoadOptions& options, const ChatLoadOptions& chat) {
  if (chat.is_chosen) return load_chat(options, chat);
  if (options.find_max) return find_max(options);
  const LoadPlan plan = make_load_plan(options);
  LoadInterrupt interrupt;
  const LoadOutcome outcome = run_once(plan, interrupt);
  int exit_code = exit_code_of(outcome);
  if (exit_code == exit_success && broken_condition(plan, outcome) != nullptr) {
    exit_code = exit_failure;
  }
  report(plan, outcome, exit_code);
  return exit_code;
}

}  // namespace

void add_load(CLI::App& app, int& exit_code) {
  auto line = std::make_shared<LoadCommandLine>();
  add_load_options(app, *line);
  app.callback([line, &app, &exit_code] {
    settle_load_options(*line, app);
    exit_code = load(line->options, line->chat);
  });
}

}  // namespace tern::tool
