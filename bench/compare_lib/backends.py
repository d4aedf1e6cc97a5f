"""One backend against another, from the same sources: builds of tern that differ in nothing
else."""

import json
import os
import re
import subprocess
import time
from dataclasses import asdict

from . import catalogue, counting, rounds
from .fanout import SenderRun
from .process import Failure, busy_seconds, prepare_child

WORKLOADS = ("64x1", "64x50", "64x1000", "16KiBx50", "churn")
FAN_OUT = "connection/fan_out_to_1000_one_a_turn"
RECEIVERS = 1000
FAN_OUT_S = 0.3  # Of measuring in each run.
TIME_LIMIT_S = 120


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


def choose(builds, warn):
    """Returns {backend: build directory}, the one to compare with first."""
    chosen = {}
    for build in builds:
        name = poller_of(build)
        if name in chosen:
            raise Failure(f"{chosen[name]} and {build} are both {name}: nothing to compare")
        catalogue.warn_of_slow_build(build, warn)
        chosen[name] = build
    return chosen


def fan_out_once(name, build, cpu):
    """CPU time of one delivery, with the receivers' side left out."""
    program = os.path.join(build, "bench", "tern-bench-micro")
    command = [program, f"--benchmark_filter=^{FAN_OUT}(/|$)", "--benchmark_format=json",
               f"--benchmark_min_time={FAN_OUT_S}"]
    busy_before, started, before = busy_seconds({cpu}), time.monotonic(), os.times()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=TIME_LIMIT_S,
                              preexec_fn=prepare_child(cpu, batch=False))
        entry = json.loads(done.stdout)["benchmarks"][0]
        nanoseconds = entry["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[entry["time_unit"]]
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        raise Failure(f"{name}: {program} gave no figure for {FAN_OUT}: {error!r}") from error
    after, elapsed = os.times(), time.monotonic() - started
    own_s = (after.children_user - before.children_user
             + after.children_system - before.children_system)
    foreign_s = max(0.0, busy_seconds({cpu}) - busy_before - own_s)
    return SenderRun(nanoseconds / 1e3 / RECEIVERS, foreign_s / elapsed)


def report_fan_out(builds, round_count, cpu, out, progress):
    def run(name, build):
        return fan_out_once(name, build, cpu)
    runs = rounds.in_rounds("fan-out", builds, round_count, run, progress)
    out(f"\nfan-out: one message of 100 B to {RECEIVERS:,} connections in one turn; "
        f"{round_count} rounds on CPU {cpu}")
    metric, _, style = rounds.METRICS[0]
    comparison = rounds.print_metric(runs, metric, "sender's CPU, us per delivery", style, out)
    return {"comparisons": {metric: comparison},
            "runs": {name: [asdict(each) for each in own] for name, own in runs.items()}}


def report(builds, workloads, load, round_count, cpus, out, progress):
    servers = {name: catalogue.tern_command(build) for name, build in builds.items()}
    results = rounds.report(load, servers, workloads, round_count, cpus, out, progress)
    results["fan-out"] = report_fan_out(builds, round_count, cpus[0], out, progress)
    out("")
    counted = [workload for workload in workloads if not workload.churn]
    results["syscalls"] = counting.report_system_calls(servers, counted, cpus[0], None, out)
    return results
