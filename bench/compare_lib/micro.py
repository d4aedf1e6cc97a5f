"""What got slower since the baseline: user-space instructions of each micro-benchmark.

Instructions and not time: they repeat to the last digit on a machine where time strays by ten per
cent. callgrind counts from the first iteration to the last; what a benchmark does between
PauseTiming() and ResumeTiming() counts as well."""

import json
import os
import re
import subprocess
import tempfile
from statistics import median

from . import arguments, backends
from .console import out, progress
from .counting import require_tool
from .process import Failure, UsageFailure, prepare_child

BASELINE = os.path.join(arguments.REPOSITORY, "bench", "baseline.json")
ITERATIONS, ITERATIONS_OF_HANDSHAKES = 200, 20  # of these each takes milliseconds
# Two threads: how often each finds work done hangs on the scheduler, and valgrind 3.19 lets no
# other run while one waits in io_uring_enter(2).
NOT_COUNTED = "reactor/post_there_and_back"
TIME_LIMIT_S = 900
LEAST = 0.02  # Where memory lies makes a difference of up to 1 %.


def register(commands):
    parser = commands.add_parser(
        "micro", help="the micro-benchmarks in instructions: what got slower since the baseline?")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_others(parser)
    parser.add_argument("--baseline", default=BASELINE, metavar="FILE",
                        help="a former --json (default: bench/baseline.json)")
    parser.add_argument("--only", default="", metavar="NAME",
                        help="benchmarks whose name begins like this (default: all)")
    parser.add_argument("--write", action="store_true",
                        help="afterwards, make what was measured the baseline")
    arguments.add_rounds(parser, 2)


def run(session):
    options = session.options
    if options.write and options.only and options.baseline == BASELINE:
        raise UsageFailure("--write and --only contradict each other: the baseline would lose all "
                           "others; name another file with --baseline")
    baseline = {"conditions": {}, "results": {}}
    if os.path.exists(options.baseline) or not options.write:
        baseline = read_baseline(options.baseline)
    if options.write:
        options.json = options.baseline
    results, slower = report(session, baseline)
    session.failed = bool(slower) and not options.write
    return results


def check_name(name, backend):
    if not re.fullmatch(rf"[a-z0-9_]+/[a-z0-9_]+/{re.escape(backend)}", name):
        raise Failure(f"benchmark {name}: its name is not <area>/<case>/{backend}; see "
                      "bench/micro/micro.hpp")


def names_of(build, backend, only):
    """The benchmarks of a build, by the names that they were registered with."""
    program = os.path.join(build, "bench", "tern-bench-micro")
    if not os.access(program, os.X_OK):
        raise Failure(f"{program} is not built; {backends.how_to_build(build)}")
    listed = subprocess.run([program, "--benchmark_list_tests"], capture_output=True, text=True,
                            check=False, timeout=60).stdout.split()
    names = [name.removesuffix("/manual_time") for name in listed]
    for name in names:
        check_name(name, backend)
    return [name for name in names if name.startswith(only) and not name.startswith(NOT_COUNTED)]


def instructions_in(path):
    """The total of one part of callgrind's output."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("totals: "):
                return int(line.split()[1])
    raise Failure(f"{path}: callgrind wrote no total")


def run_group(build, backend, names, iterations, cpu):
    """Returns {benchmark: instructions of an iteration}."""
    program = os.path.join(build, "bench", "tern-bench-micro")
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as directory:
        path = os.path.join(directory, "counts")
        command = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={path}",
                   "--zero-before=benchmark::State::StartKeepRunning*",
                   "--dump-before=benchmark::State::FinishKeepRunning*", program,
                   f"--iterations={iterations}",
                   f"--benchmark_filter=^({'|'.join(names)})/iterations"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, timeout=TIME_LIMIT_S,
                                  preexec_fn=prepare_child(cpu, batch=False))
        except (OSError, subprocess.SubprocessError) as error:
            raise Failure(f"{backend}: {program} under callgrind: {error}") from error
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or ["it said nothing"]
            raise Failure(f"{backend}: {program} under callgrind ended with code "
                          f"{done.returncode}: {words[-1]}")
        parts = [f"{path}.{number}" for number in range(1, len(names) + 1)]
        if not all(map(os.path.exists, parts)) or os.path.exists(f"{path}.{len(names) + 1}"):
            raise Failure(f"{program}: not one count for each benchmark; does this Google "
                          "Benchmark call its functions otherwise?")
        return {name: instructions_in(part) / iterations for name, part in zip(names, parts)}


def measure(session):
    """Returns {benchmark: [instructions of an iteration, in each round]}."""
    only, round_count = session.options.only, session.options.rounds
    builds = backends.choose_builds(session)
    require_tool("valgrind")
    names = {backend: names_of(build, backend, only) for backend, build in builds.items()}
    if not any(names.values()):
        raise UsageFailure(f"--only {only}: no benchmark's name begins like that")
    found = {}
    for number in range(round_count):
        for backend, build in builds.items():
            progress(f"micro: round {number + 1} of {round_count}, {backend}")
            shakes = [name for name in names[backend] if name.startswith("tls/handshake")]
            others = [name for name in names[backend] if name not in shakes]
            for group, iterations in ((others, ITERATIONS), (shakes, ITERATIONS_OF_HANDSHAKES)):
                if not group:
                    continue
                counts = run_group(build, backend, group, iterations, session.server_cpu)
                for name, count in counts.items():
                    found.setdefault(name, []).append(count)
    progress("")
    return found


def verdict(before, after):
    """`slower` or `faster` where all runs lie outside of all others, by more than LEAST and by more
    than twice what the others strayed: RSA takes random numbers."""
    least = max(LEAST, 2 * (max(before) - min(before)) / median(before))
    ratio = median(after) / median(before)
    if min(after) > max(before) and ratio > 1 + least:
        return "slower"
    if max(after) < min(before) and ratio < 1 - least:
        return "faster"
    return ""


def read_baseline(path):
    try:
        with open(path, encoding="utf-8") as file:
            baseline = json.load(file)
        for runs in baseline["results"].values():
            if not runs or min(runs) <= 0:
                raise ValueError("a benchmark without instructions")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure(f"{path}: {error}; make a baseline with bench/compare micro --json "
                      "FILE") from error
    return baseline


def report(session, baseline):
    """Returns what was measured, and which benchmarks got slower."""
    found = measure(session)
    before = baseline["results"]
    out(f"Instructions of an iteration (callgrind), {session.options.rounds} rounds\n")
    out(f"  {'':<48}{'baseline':>14}{'now':>14}{'change':>9}")
    verdicts = {}
    for name, runs in found.items():
        now = f"{median(runs):,.1f}"
        if name not in before:
            out(f"  {name:<48}{'':>14}{now:>14}      new")
            continue
        verdicts[name] = verdict(before[name], runs)
        change = median(runs) / median(before[name]) - 1
        out(f"  {name:<48}{median(before[name]):>14,.1f}{now:>14}{change:>+9.1%}  "
            f"{verdicts[name]}".rstrip())
    backends_now = {name.rpartition("/")[2] for name in found}
    for name in before:
        wanted = name.startswith(session.options.only) and name.rpartition("/")[2] in backends_now
        if wanted and name not in found:
            out(f"  {name:<48} is gone")
    for key in ("tern", "cpu_model"):
        then, now = baseline["conditions"].get(key), session.conditions[key]
        if then is not None and then != now:
            out(f"\n  the baseline was made with {then}, this is {now}: that alone may change "
                "figures")
    slower = [name for name, judged in verdicts.items() if judged == "slower"]
    out(f"\nslower: {', '.join(slower)}" if slower else "\nnothing got slower")
    return found, slower
