"""One backend against another, from the same sources: builds of tern that differ in nothing
else."""

import json
import os
import re
import subprocess
import time
from dataclasses import asdict

from . import arguments, catalogue, counting, echo, loader, rounds
from .console import out, warn
from .fanout import SenderRun
from .process import Failure, busy_seconds, prepare_child

WORKLOADS = ("64x1", "64x50", "64x1000", "16KiBx50", "churn")
FANOUT = "connection/fan_out_to_1000_one_a_turn"
RECEIVERS = 1000
FANOUT_S = 0.3  # Of measuring in each run.
TIME_LIMIT_S = 120


def register(commands):
    parser = commands.add_parser(
        "backends", help="builds of tern that differ in the backend only: CPU and system calls")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_timed(parser)
    arguments.add_others(parser)
    arguments.add_workload(parser, list(WORKLOADS))


def run(session):
    builds = choose_builds(session)
    workloads = catalogue.choose_workloads(session.options.workload)
    return report(session, loader.choose(session, workloads), builds, workloads)


def how_to_build(build):
    return (f"run tools/setup bench {build} -Dbenchmarks=enabled [-Dpoller=NAME], then "
            f"ninja -C {build}")


def poller_of(build):
    """The backend that a build directory was configured with, as its command says."""
    command = os.path.join(build, "tern")
    if not os.access(command, os.X_OK):
        raise Failure(f"{command} is not built; {how_to_build(build)}")
    text = subprocess.run([command, "--version"], capture_output=True, text=True, check=False,
                          timeout=10).stdout
    match = re.search(r"poller (\w+)", text)
    if not match:
        raise Failure(f"{command} --version names no poller: {text.strip()}")
    return match.group(1)


def choose_builds(session):
    """Returns {backend: build directory}, the one to compare with first."""
    options = session.options
    others = options.others
    if others is None:
        others = [os.path.join(arguments.REPOSITORY, "build-io_uring")]
        if os.path.realpath(others[0]) == os.path.realpath(options.build):
            others = []
        elif options.command != "backends" and not os.path.isdir(others[0]):
            warn(f"skipped tern on io_uring: {how_to_build(others[0])}")
            others = []
    chosen = {}
    for build in [options.build, *others]:
        name = poller_of(build)
        if name in chosen:
            raise Failure(f"{chosen[name]} and {build} are both {name}: nothing to compare")
        if build != options.build:
            catalogue.warn_of_slow_build(build)
        chosen[name] = build
    return chosen


def fanout_once(name, build, cpu):
    """CPU time of one delivery, with the receivers' side left out."""
    program = os.path.join(build, "bench", "tern-bench-micro")
    command = [program, f"--benchmark_filter=^{FANOUT}(/|$)", "--benchmark_format=json",
               f"--benchmark_min_time={FANOUT_S}"]
    busy_before, started, before = busy_seconds({cpu}), time.monotonic(), os.times()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=TIME_LIMIT_S,
                              preexec_fn=prepare_child(cpu, batch=False))
        entry = json.loads(done.stdout)["benchmarks"][0]
        nanoseconds = entry["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[entry["time_unit"]]
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        raise Failure(f"{name}: {program} gave no figure for {FANOUT}: {error!r}") from error
    after, elapsed = os.times(), time.monotonic() - started
    own_s = (after.children_user - before.children_user
             + after.children_system - before.children_system)
    foreign_s = max(0.0, busy_seconds({cpu}) - busy_before - own_s)
    return SenderRun(nanoseconds / 1e3 / RECEIVERS, foreign_s / elapsed)


def report_fanout(session, builds):
    runs = rounds.in_rounds(
        session, "fan-out", builds,
        lambda name, build: fanout_once(name, build, session.server_cpu))
    out(f"\nfan-out: one message of 100 B to {RECEIVERS:,} connections in one turn; "
        f"{session.options.rounds} rounds on CPU {session.server_cpu}")
    metric, _, style = rounds.METRICS[0]
    comparison = rounds.print_metric(runs, metric, "sender's CPU, us per delivery", style)
    return {"comparisons": {metric: comparison},
            "runs": {name: [asdict(each) for each in own] for name, own in runs.items()}}


def report(session, load, builds, workloads):
    servers = {name: catalogue.tern_command(build) for name, build in builds.items()}
    results = echo.report(session, load, servers, workloads)
    results["fanout"] = report_fanout(session, builds)
    out("")
    counted = [workload for workload in workloads if not workload.churn]
    results["syscalls"] = counting.report_system_calls(session, servers, counted)
    return results
