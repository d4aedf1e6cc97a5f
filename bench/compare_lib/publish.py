"""The result of the whole comparison in Markdown, and where it is shown: docs/benchmarks.md, and
README's first screen with a chart."""

import json
import os
import statistics
import subprocess
import sys
import textwrap
from types import SimpleNamespace

from . import catalogue, rounds
from .arguments import REPOSITORY
from .process import Failure

RESULT = os.path.join(REPOSITORY, "docs", "benchmarks.json")
CHARTS = os.path.join(REPOSITORY, "docs", "charts")
CHART = "docs/charts/cpu-of-the-server-64x50.svg"
PAGE = os.path.join(REPOSITORY, "docs", "benchmarks.md")
README = os.path.join(REPOSITORY, "README.md")
BEGIN, END = "<!-- begin: bench/compare publish -->", "<!-- end -->"

CPU = "cpu_us_per_message"
RATE = "messages_per_second"
P99 = "p99_us"
LABELS = {"bare_tls": "OpenSSL on bare epoll", "bare_fanout": "a loop of `send` calls",
          "asio_echo": "Asio", "asio_tls": "Asio", "asio_chat": "Asio's chat example, for lines",
          "thread_chat": "a thread for each client"}
WORKLOADS = {"64x50": "64 B × 50", "64x1000": "64 B × 1,000", "16x64x100": "16 at a time × 100",
             "16KiBx50": "16 KiB × 50", "churn": "connect, 64 B, close × 50",
             "handshake": "handshake, 64 B, close × 50", "1000x1": "one line at a time",
             "1000x8": "8 lines at a time"}


def register(commands):
    parser = commands.add_parser(
        "publish", help="what `all --publish` does with its result, from the file that it wrote")
    parser.add_argument("json", nargs="?", default=RESULT, metavar="FILE",
                        help="(default: docs/benchmarks.json)")


def label(name):
    if name in LABELS:
        return LABELS[name]
    if name.startswith(catalogue.TERN + "-"):
        return f"**tern**, {name[len(catalogue.TERN) + 1:]}"
    for ending in ("_echo", "_tls", "_fanout"):
        name = name.removesuffix(ending)
    return name.replace("bare_", "bare ")


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def median_of(workload, name, metric):
    return statistics.median(run[metric] for run in workload["runs"][name])


def is_control(name):
    return name == catalogue.control_of(name.partition(" (")[0])


def microseconds(value):
    return f"{value:.3g} µs" if value < 100 else f"{value:,.0f} µs"


def timed_table(section, metric, style):
    """A row for each server, a column for each workload: the median, and the ratio to the floor."""
    names = list(next(iter(section.values()))["runs"])
    rows = []
    for name in names:
        cells = [f"{label(names[0])}, once more (the control)" if is_control(name) else label(name)]
        for workload in section.values():
            cell = style(median_of(workload, name, metric))
            row = workload["comparisons"][metric].get(name)
            if row is not None:
                ratio = f"×{row['median']:.2f}"
                if is_control(name):
                    ratio += f" ({row['lowest']:.2f} to {row['highest']:.2f})"
                cell += f" **{ratio}**" if row["verdict"] in ("above", "below") else f" {ratio}"
            cells.append(cell)
        rows.append(cells)
    return table(["", *(WORKLOADS.get(name, name) for name in section)], rows)


def exact_columns(results, counts, memory=None):
    """[(title, {server: number}, style)] of what is counted and not timed."""
    columns = []
    for what, title in (("instructions", "user instructions a message"),
                        ("syscalls", "system calls a message")):
        for counted in counts[what].values():
            numbers = {name: sum(value.values()) if isinstance(value, dict) else value
                       for name, value in counted.items()}
            columns.append((title, numbers, "{:,.0f}" if what == "instructions" else "{:.2f}"))
    if memory:
        columns.append(("bytes of an idle connection",
                        {name: max(0.0, statistics.median(value["bytes_per_connection"]))
                         for name, value in memory.items()}, "{:,.0f}"))
    return columns


def exact_table(columns):
    names = list(dict.fromkeys(name for _, numbers, _ in columns for name in numbers))
    rows = [[label(name), *(style.format(numbers[name]) if name in numbers else ""
                            for _, numbers, style in columns)] for name in names]
    return table(["", *(title for title, _, _ in columns)], rows)


def glance(results):
    """The table for README: what one connection and one message cost, by server."""
    echo = next(iter(results["echo"].values()))
    names = [name for name in echo["runs"] if not is_control(name)]
    columns = [("CPU a message", {name: median_of(echo, name, CPU) for name in names}, "{:.2f} µs")]
    columns += exact_columns(results, results["counts"], results["memory"])
    return exact_table(columns)


def timed_losses(section):
    """Where a peer needs less CPU than tern, or answers more, by more than the control strays from
    the floor."""
    for title, workload in section.items():
        runs = {name: [SimpleNamespace(**run) for run in own]
                for name, own in workload["runs"].items()}
        for metric, worse, what, verb in (
                (CPU, "above", "CPU", "needs more than"),
                (RATE, "below", "Messages a second", "answers fewer than"),
                (P99, "above", "p99", "takes longer than")):
            if metric not in workload["comparisons"]:
                continue
            for name in [name for name in runs if catalogue.TERN in name]:
                better = better_peers(runs, name, metric, worse)
                if better:
                    yield (f"{what}, {WORKLOADS.get(title, title)}: {label(name)} {verb} "
                           f"{', '.join(better)}.")


def better_peers(runs, name, metric, worse):
    control, judged = rounds.same_round_ratios(
        runs, catalogue.control_of(rounds.floor_of(runs)), metric)
    better = []
    for peer in runs:
        if catalogue.TERN in peer or is_control(peer):
            continue
        ratios, enough = rounds.same_round_ratios(
            {peer: runs[peer], name: runs[name]}, name, metric)
        median = statistics.median(ratios)
        if judged and enough and rounds.verdict(median, control) == worse:
            better.append(f"{label(peer)} (×{median:.2f})")
    return better


def exact_losses(columns, where):
    for title, numbers, style in columns:
        for name in [name for name in numbers if catalogue.TERN in name]:
            better = [f"{label(peer)} {style.format(number)}" for peer, number in numbers.items()
                      if catalogue.TERN not in peer
                      and style.format(number) != style.format(numbers[name])
                      and number < numbers[name]]
            if better:
                yield (f"{title[0].upper()}{title[1:]}{where}: {label(name)} "
                       f"{style.format(numbers[name])}; {', '.join(better)}.")


def limits(results):
    """What these figures cannot tell, from what the control and the machine did meanwhile."""
    timed = {**{f"{WORKLOADS.get(name, name)}": workload
                for section in ("echo", "fanout") for name, workload in results[section].items()},
             **{f"TLS, {WORKLOADS.get(name, name)}": workload
                for name, workload in results["tls"].items()}}
    strays = {}
    for title, workload in timed.items():
        row = workload["comparisons"][CPU][catalogue.control_of(next(iter(workload["runs"])))]
        strays[title] = max(row["highest"] - 1, 1 - row["lowest"])
    worst = max(strays, key=strays.get)
    yield (f"The floor, entered twice, strayed from itself in single rounds by "
           f"{min(strays.values()):.0%} to {strays[worst]:.0%} of its CPU ({worst}). Smaller "
           "differences are noise.")
    runs = [run for workload in timed.values() for own in workload["runs"].values() for run in own]
    disturbed = [run for run in runs if run["foreign_share"] > rounds.FOREIGN_SHARE_LIMIT]
    if disturbed:
        yield (f"{len(disturbed)} of {len(runs)} runs shared the CPUs with other processes, even "
               "when repeated.")
    full = [title for title, workload in timed.items()
            if statistics.median(run.get("loader_share", 0)
                                 for run in next(iter(workload["runs"].values()))) >= 0.9]
    if full:
        yield (f"The loader was at the limit of its CPU ({', '.join(full)}): messages per second "
               "cannot rank the fast servers there, CPU a message can.")
    if min(len(own) for workload in timed.values()
           for own in workload["runs"].values()) < rounds.ROUNDS_FOR_A_VERDICT:
        yield f"Fewer than {rounds.ROUNDS_FOR_A_VERDICT} rounds: no timed figure is a verdict."
    yield ("Loopback in a virtual machine with one CPU for the server: no network card, no scaling "
           "over cores, and most of each figure is the kernel's TCP.")


def wrapped(text, indent=""):
    return textwrap.fill(text, 100, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False) + "\n"


def bullets(lines):
    return "".join(wrapped(f"- {line}", "  ") for line in lines)


def tables(results):
    exact = exact_columns(results, results["counts"], results["memory"])
    secure = exact_columns(results, results["tls_counts"])
    losses = [*timed_losses(results["echo"]), *timed_losses(results["tls"]),
              *timed_losses(results["fanout"]), *exact_losses(exact, ""),
              *exact_losses(secure, " behind TLS")]
    return "\n".join([
        "### CPU of the server, a message\n", timed_table(results["echo"], CPU, microseconds),
        "### Messages a second\n",
        timed_table(results["echo"], RATE, "{:,.0f}".format),
        "### p99 of the latency, in a closed loop\n",
        timed_table(results["echo"], P99, "{:,.0f} µs".format),
        "### Behind TLS 1.3: CPU of the server, a message\n",
        timed_table(results["tls"], CPU, microseconds),
        "### Fan-out to a thousand: CPU of the server, a delivery\n",
        timed_table(results["fanout"], CPU, microseconds),
        "### Exact: counted, not timed (64 B × 50)\n", exact_table(exact),
        "Behind TLS:\n", exact_table(secure),
        "### Where we lose\n", bullets(losses) or "Nowhere that these figures show.\n",
        "### What this machine cannot show\n", bullets(limits(results))])


def conditions_line(conditions):
    arguments = conditions["arguments"]
    return wrapped(
        f"{conditions['cpu_model']}, {conditions['cpus']} CPUs, Linux {conditions['kernel']}; "
        f"{conditions['tern']}; {conditions['measured_at'][:10]}; {arguments['rounds']} rounds of "
        f"{arguments['duration']:g} s, the servers taking turns, server and loader each on a CPU "
        "of its own, loopback. `×` is the median of ratios to the first row within the same round; "
        "bold ratios lie outside of all that the control did.")


def put(path, text):
    """Replaces what is between the marks of a file."""
    with open(path, encoding="utf-8") as file:
        before, begin, rest = file.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{path}: no lines `{BEGIN}` and `{END}` to put the tables between")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}{END}{after}")


def publish(path):
    try:
        with open(path, encoding="utf-8") as file:
            whole = json.load(file)
        conditions, results = whole["conditions"], whole["results"]
        text, summary = tables(results), glance(results)
        line = conditions_line(conditions)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise Failure(f"{path}: {error!r}; name a file that bench/compare all --json "
                      "wrote") from error
    put(PAGE, f"{line}\n{text}")
    words = wrapped(
        f"64 B echoed on 50 connections; {conditions['cpu_model']}, Linux {conditions['kernel']}, "
        f"{conditions['measured_at'][:10]}. `bench/compare all --publish` measures it again; "
        "[all of it, where we lose, and what the machine cannot show](docs/benchmarks.md).")
    put(README, f"![CPU of the server, a message]({CHART})\n\n{summary}\n{words}")
    done = subprocess.run(
        [sys.executable, os.path.join(REPOSITORY, "tools", "report"), "--svg-only", "--out", CHARTS,
         path], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Failure(done.stderr.strip() or "tools/report failed")
