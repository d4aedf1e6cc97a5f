// tern compare: two sets of results of tern load, and whether the second is faster or slower.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "src/support/json_reader.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/compare/comparison.hpp"
#include "tools/tern/load/origin.hpp"
#include "tools/tern/load/report.hpp"
#include "tools/tern/load/result.hpp"

namespace tern::tool {
namespace {

using support::JsonValues;

constexpr std::string_view compare_examples = R"(Examples:
  for i in $(seq 10 29); do                  the two take turns, so that both see the same machine
    tern load tcp://127.0.0.1:7007 --json before/$i.json
    tern load tcp://127.0.0.1:7008 --json after/$i.json
  done
  tern compare --paired before after         run by run: what the machine did cancels out
  tern compare monday friday                 sets that were measured apart

A set is a folder of results (*.json), or a file with one result or several, one after the other.
Paired folders have files of the same names. The change of pairs is the median of their changes,
which the medians of the two sets need not show.
What decides: the messages a second of a closed loop, or the p99 of an open one; and, when every run
had --server-pid, the server's CPU time a message. If they disagree, nothing is decided.)";

constexpr std::uintmax_t file_bytes_max = 64 * 1024 * 1024;

struct Metric {
  std::string key;
  std::string name;
  bool more_is_better;
  bool decides;
};

std::vector<Metric> metrics(bool open_loop) {
  std::vector<Metric> found;
  for (const LoadField& field : load_fields) {
    const Compared& compared = field.compared;
    if (compared.name.empty()) continue;
    const bool decides = compared.decides == Compared::Decides::always ||
                         compared.decides == (open_loop ? Compared::Decides::open_loop
                                                        : Compared::Decides::closed_loop);
    if (!std::holds_alternative<LoadHistogram>(field.source)) {
      found.push_back(
          {std::string(field.name), std::string(compared.name), compared.more_is_better, decides});
      continue;
    }
    for (const Statistic& statistic : statistics) {
      if (!statistic.is_compared) continue;
      found.push_back({fmt::format("{}.{}", field.name, json_name(statistic)),
                       fmt::format("{} {}", statistic.name, compared.name), compared.more_is_better,
                       decides && statistic.decides});
    }
  }
  return found;
}

struct Settings {
  std::string before;
  std::string after;
  std::uint64_t confidence_percent = 99;
  std::uint64_t least_percent = 1;
  bool paired = false;
};

struct RunSet {
  std::string path;
  std::vector<JsonValues> runs;
  std::vector<std::string> files;  // of a folder, in the order of the runs
};

[[noreturn]] void refuse_results(const std::string& message) {
  throw CommandError(exit_usage, message);
}

void read_file(const std::filesystem::path& path, RunSet& set) {
  std::error_code error;
  if (std::filesystem::file_size(path, error) > file_bytes_max || error) {
    refuse_results(fmt::format("{}: {}; name a file that tern load --json wrote", path.string(),
                               error ? describe(error) : "too large for results"));
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::string problem;
  if (!support::read_json_objects(text, set.runs, problem)) {
    refuse_results(
        fmt::format("{}: {}; name a file that tern load --json wrote", path.string(), problem));
  }
}

void check_run(const RunSet& set, const JsonValues& run, std::size_t number) {
  const auto refuse_run = [&](const std::string& problem) {
    refuse_results(fmt::format("{}: run {} {}", set.path, number, problem));
  };
  if (run.text("schema_version") != std::to_string(load_schema_version)) {
    refuse_run(fmt::format("is no result of schema version {}; measure with this version of tern",
                           load_schema_version));
  }
  if (run.text("mode") == "chat") refuse_run("is of a chat; only runs of messages can be compared");
  if (run.text("interrupted") != "false") refuse_run("was interrupted; measure it again");
  if (run.text("errors") != "0") {
    refuse_run("had errors: " + run.text("errors") + "; they are not to be compared");
  }
  if (run.number("messages").value_or(0) <= 0) refuse_run("measured nothing");
}

RunSet read_set(const std::string& path) {
  RunSet set{path, {}, {}};
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    std::set<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.path().extension() == ".json") files.insert(entry.path());
    }
    for (const auto& file : files) {
      read_file(file, set);
      set.files.push_back(file.filename().string());
    }
  } else {
    read_file(path, set);
  }
  for (std::size_t index = 0; index < set.runs.size(); ++index) {
    check_run(set, set.runs[index], index + 1);
  }
  if (set.runs.size() < runs_min) {
    refuse_results(fmt::format("{}: {} runs, but the spread needs {} or more; 7 are better", path,
                               set.runs.size(), runs_min));
  }
  return set;
}

void check_workloads(const RunSet& before, const RunSet& after) {
  const JsonValues& first = before.runs.front();
  const auto scheme = [](const JsonValues& run) {
    const std::string url = run.text("url");
    return url.substr(0, url.find(':'));
  };
  for (const RunSet* set : {&before, &after}) {
    for (const JsonValues& run : set->runs) {
      for (const LoadField& field : load_fields) {
        const std::string key(field.name);
        if (field.role != Role::workload || run.text(key) == first.text(key)) continue;
        refuse_results(fmt::format("{} is '{}' in {} and '{}' in {}; compare runs of one workload",
                                   key, first.text(key), before.path, run.text(key), set->path));
      }
      if (scheme(run) != scheme(first)) {
        refuse_results(
            fmt::format("one run is over {} and another over {}; compare runs of one workload",
                        scheme(first), scheme(run)));
      }
    }
  }
}

void check_pairs(const RunSet& before, const RunSet& after, double confidence) {
  const std::size_t count = before.runs.size();
  if (count != after.runs.size()) {
    refuse_results(fmt::format("--paired: {} runs in {}, but {} in {}", count, before.path,
                               after.runs.size(), after.path));
  }
  for (std::size_t i = 0; i < std::min(before.files.size(), after.files.size()); ++i) {
    if (before.files[i] == after.files[i]) continue;
    refuse_results(fmt::format("--paired: {} has {} where {} has {}; run N of both needs one name",
                               before.path, before.files[i], after.path, after.files[i]));
  }
  if (count < pairs_min(confidence) || count > pairs_max) {
    refuse_results(fmt::format("--paired: {} pairs; --confidence {:.0f} needs {} to {}", count,
                               100 * confidence, pairs_min(confidence), pairs_max));
  }
}

// Empty unless every run has it, above zero.
std::vector<double> values_of(const RunSet& set, const std::string& key) {
  std::vector<double> values;
  for (const JsonValues& run : set.runs) {
    const double value = run.number(key).value_or(0);
    if (value <= 0) return {};
    values.push_back(value);
  }
  return values;
}

std::string set_line(const char* name, const RunSet& set) {
  const JsonValues& run = set.runs.front();
  return fmt::format("{:<7} {} runs in {}: tern {} ({}) on {}, {}\n", name, set.runs.size(),
                     set.path, run.text("tool_version"), run.text("environment.commit"),
                     run.text("poller"), run.text("url"));
}

std::string notes(const RunSet& before, const RunSet& after) {
  std::string text;
  for (const Field<TestBed>& field : environment_fields()) {
    if (!field.is_noted) continue;
    const std::string key = fmt::format("environment.{}", field.name);
    const std::string left = before.runs.front().text(key);
    const std::string right = after.runs.front().text(key);
    if (left != right) {
      fmt::format_to(std::back_inserter(text), "note    {}: '{}' before, '{}' after\n", key, left,
                     right);
    }
  }
  return text;
}

// Of the metrics that decide: one voice, or none.
Verdict overall(const std::vector<Verdict>& verdicts) {
  Verdict whole = Verdict::not_distinguishable;
  for (const Verdict verdict : verdicts) {
    if (verdict == Verdict::not_distinguishable) continue;
    if (whole != Verdict::not_distinguishable && whole != verdict) {
      return Verdict::not_distinguishable;
    }
    whole = verdict;
  }
  return whole;
}

int compare(const Settings& settings) {
  const RunSet before = read_set(settings.before);
  const RunSet after = read_set(settings.after);
  check_workloads(before, after);
  const bool open_loop = before.runs.front().text("mode") == "open_loop";
  const double confidence = static_cast<double>(settings.confidence_percent) / 100;
  if (settings.paired) check_pairs(before, after, confidence);
  std::string text = set_line("before", before) + set_line("after", after) + notes(before, after);
  fmt::format_to(std::back_inserter(text), "\n{:<16}{:>14}{:>14}{:>10}   {:<22}\n", "", "before",
                 "after", "change", fmt::format("{} % interval", settings.confidence_percent));
  std::vector<Verdict> verdicts;
  std::string deciding;
  for (const Metric& metric : metrics(open_loop)) {
    const std::vector<double> left = values_of(before, metric.key);
    const std::vector<double> right = values_of(after, metric.key);
    if (left.empty() || right.empty()) continue;
    const Comparison found = settings.paired ? compare_pairs(left, right, confidence)
                                             : compare_runs(left, right, confidence);
    const Verdict verdict =
        verdict_of(found, metric.more_is_better, static_cast<double>(settings.least_percent) / 100);
    if (metric.decides) {
      verdicts.push_back(verdict);
      deciding += (deciding.empty() ? "" : " and ") + metric.name;
    }
    const auto percent = [](double ratio) { return fmt::format("{:+.1f} %", 100 * (ratio - 1)); };
    fmt::format_to(std::back_inserter(text), "{:<16}{:>14.6g}{:>14.6g}{:>10}   {:<22}{}{}\n",
                   metric.name, found.before, found.after, percent(found.ratio),
                   percent(found.low) + " to " + percent(found.high), to_string(verdict),
                   metric.decides ? "  (decides)" : "");
  }
  const Verdict verdict = overall(verdicts);
  const bool contradictory = verdict == Verdict::not_distinguishable &&
                             std::any_of(verdicts.begin(), verdicts.end(), [](Verdict one) {
                               return one != Verdict::not_distinguishable;
                             });
  fmt::format_to(std::back_inserter(text), "\nverdict: {} (by {}{})\n", to_string(verdict),
                 deciding, contradictory ? ", which contradict each other" : "");
  print(text);
  return verdict == Verdict::slower ? exit_failure : exit_success;
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
  auto settings = std::make_shared<Settings>();
  app.add_option("before", settings->before, "results of the one: a folder or a file")
      ->type_name("PATH")
      ->required();
  app.add_option("after", settings->after, "results of the other")->type_name("PATH")->required();
  app.add_flag("--paired", settings->paired,
               "the two took turns: compare run by run, in the order of their names");
  add_count(app, "--confidence", settings->confidence_percent,
            "how sure an interval is to hold the true change, in percent", 50, 99);
  add_count(app, "--least", settings->least_percent,
            "changes below this many percent are of no interest", 0, 1000);
  app.footer(fmt::format(
      "{}\n\n{}", compare_examples,
      exit_codes_help({{exit_success, "faster or not distinguishable"},
                       {exit_failure, "slower"},
                       {exit_usage, "the command line is wrong, or the sets cannot be compared"},
                       {exit_internal}})));
  app.callback([settings, &exit_code] { exit_code = compare(*settings); });
}

}  // namespace tern::tool
