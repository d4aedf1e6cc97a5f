"""Whether the measuring itself can be believed: that `tern load` says what another generator says,
that it can drive bare epoll to its limit, and that `tern compare` finds what is there and nothing
else."""

import csv
import os
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass

from . import arguments, backends, catalogue, loader
from .console import out, progress
from .process import Failure, Server, UsageFailure, prepare_child
from .rounds import SMALLEST_DIFFERENCE, rotate

# A server that is the limit of whoever loads it: both generators must then see the same. What they
# cost the server besides differs by 2 us a message at 20,000, and must be little of the whole.
SERVER_LIMITED_NS = 100_000
SLOWED_BY = 0.10
P99_AGREES_WITHIN = 0.10
# What redis-benchmark sends, and takes for an answer when it comes back: *1\r\n$4\r\nPING\r\n.
PING_BYTES = 14
WORKLOAD = catalogue.Workload("14x50", PING_BYTES, 50)
DRIVEN = ("64x50", "64x1000", "16x64x100")
TIME_LIMIT_S = 120
ROUNDS_MIN = 8  # what tern compare --paired needs


def register(commands):
    parser = commands.add_parser(
        "trust", help="can the measuring be believed? Another generator, the loader's own limit, a "
                      "server against itself and against a slowed one")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_others(parser)
    # Neighbouring runs are compared, so short ones: the machine changes its speed within seconds.
    arguments.add_timed(parser, rounds=24, duration_s=1.0, warmup_s=0.25)


def run(session):
    options = session.options
    if options.rounds < ROUNDS_MIN:
        raise UsageFailure(f"--rounds {options.rounds}: {ROUNDS_MIN} or more")
    builds = [options.build] if options.loader else backends.choose_builds(session).values()
    results, failed = report(session, [loader.choose(session, [], build) for build in builds])
    session.failed = bool(failed)
    return results


@dataclass
class Seen:
    """What one generator said of one run."""
    messages_per_second: float
    p99_us: float


def slowed_server(session, slowed_ns):
    program = catalogue.peer_program(session, "slowed_epoll")
    if not os.access(program, os.X_OK):
        raise Failure(f"{program} is not built; run ninja -C {session.options.build}")
    return ["env", f"SLOWED_NS={slowed_ns}", program]


def by_redis_benchmark(server, cpu, messages):
    """Another closed loop, by other people: event loop, clock and histogram are their own."""
    command = ["redis-benchmark", "-p", str(server.port), "-t", "ping_mbulk", "-c",
               str(WORKLOAD.connections), "-n", str(messages), "--csv"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=True, timeout=TIME_LIMIT_S,
                              preexec_fn=prepare_child(cpu, batch=False))
        lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
        row = dict(zip(*csv.reader(lines[-2:])))
        return Seen(float(row["rps"]), float(row["p99_latency_ms"]) * 1000)
    except FileNotFoundError:
        raise Failure("redis-benchmark is not installed; on Debian: apt-get install "
                      "redis-tools") from None
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise Failure(f"redis-benchmark against {server.name}: {error!r}") from error


def by_tern_load(server, load):
    run = load.run(server, WORKLOAD)
    return Seen(run.messages_per_second, run.p99_us)


def spread(values):
    return f"{min(values):,.0f} to {max(values):,.0f}"


def usual(values):
    """Returns the range of all but the extreme tenth on each side: a disturbed run must not make
    agreement easier."""
    left_out = len(values) // 10
    kept = sorted(values)[left_out:len(values) - left_out]
    return kept[0], kept[-1]


def report_agreement(session, load):
    """Two generators and one server, in turns, each run with a fresh server."""
    round_count = session.options.rounds
    messages = int(1e9 / SERVER_LIMITED_NS * session.options.duration)
    command = slowed_server(session, SERVER_LIMITED_NS)
    generators = {"tern load": lambda server: by_tern_load(server, load),
                  "redis-benchmark": lambda server: by_redis_benchmark(
                      server, session.loader_cpu, messages)}
    seen = {generator: [] for generator in generators}
    for number in range(round_count):
        for generator, run in generators.items():
            progress(f"agreement: round {number + 1} of {round_count}, {generator}")
            with Server("slowed_epoll", command, session.server_cpu) as server:
                seen[generator].append(run(server))
    progress("")
    out(f"\nTwo generators against one server that takes {SERVER_LIMITED_NS / 1000:g} us a message "
        f"more: {WORKLOAD.describe()}; {round_count} rounds")
    rates = {generator: [each.messages_per_second for each in runs]
             for generator, runs in seen.items()}
    tails = {generator: [each.p99_us for each in runs] for generator, runs in seen.items()}
    for generator in seen:
        out(f"  {generator:<18}{statistics.median(rates[generator]):>10,.0f}/s "
            f"({spread(rates[generator])})   p99 {statistics.median(tails[generator]):,.0f} us "
            f"({spread(tails[generator])})")
    ours, theirs = rates.values()
    (our_low, our_high), (their_low, their_high) = usual(ours), usual(theirs)
    rates_agree = max(our_low, their_low) <= min(our_high, their_high)
    our_tail, their_tail = (statistics.median(values) for values in tails.values())
    tails_agree = abs(our_tail / their_tail - 1) <= P99_AGREES_WITHIN
    out(f"  throughput: {'the spreads overlap' if rates_agree else 'the spreads do NOT overlap'}; "
        f"p99: {our_tail / their_tail - 1:+.1%}, "
        f"{'within' if tails_agree else 'NOT within'} {P99_AGREES_WITHIN:.0%}")
    return {"rates": rates, "p99_us": tails, "holds": rates_agree and tails_agree}


def report_drive(session, loads):
    """A server that is always busy answers as much as it can: the generator is not its limit. With
    many connections that takes the generator on the best mechanism."""
    round_count = session.options.rounds
    program = catalogue.peer_program(session, catalogue.FLOOR)
    out(f"\nThe generator on one CPU, {catalogue.FLOOR} on another; {round_count} rounds")
    results = {}
    for workload in catalogue.choose_workloads(DRIVEN):
        runs = {}
        for number in range(round_count):
            for load in loads:
                progress(f"drive: {workload.name}, round {number + 1} of {round_count}")
                with Server(catalogue.FLOOR, [program], session.server_cpu) as server:
                    report = load.run(server, workload).report
                if "loader_cpu_us_per_message" not in report:
                    raise Failure("the load generator does not say what CPU it takes itself")
                runs.setdefault(report.get("poller", "unknown"), []).append({
                    "server_us": report["server_cpu_us_per_message"],
                    "generator_us": report["loader_cpu_us_per_message"],
                    "server_busy": (report["server_cpu_us_per_message"] / 1e6
                                    * report["messages_per_second"])})
        progress("")
        for poller, each in runs.items():
            server_us, own_us, busy = ([run[key] for run in each] for key in each[0])
            out(f"  {workload.name:<11}generator on {poller:<9}"
                f"{statistics.median(own_us):.3f} us a message, server "
                f"{statistics.median(server_us):.3f}, busy {statistics.median(busy):.1%} of the "
                f"time ({min(busy):.1%} to {max(busy):.1%})")
        short = [poller for poller, each in runs.items() if statistics.median(
            run["server_busy"] for run in each) < 1 - SMALLEST_DIFFERENCE]
        if short:
            out(f"  {workload.name:<11}NOT driven to its limit by the generator on "
                f"{', '.join(short)}")
        results[workload.name] = {"runs": runs, "short": short, "holds": len(short) < len(runs)}
    results["holds"] = all(each["holds"] for each in results.values())
    return results


def verdict_of(session, before, after):
    """The last line of tern compare, for runs that took turns."""
    command = [os.path.join(session.options.build, "tern"), "compare", "--paired", before, after]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r"^verdict: ([a-z ]+?) \(", done.stdout, re.MULTILINE)
    if not match:
        raise Failure(f"tern compare gave no verdict: {done.stderr.strip()}")
    out("".join(f"    {line}\n" for line in done.stdout.splitlines() if "us" in line.split()
                or line.startswith(("messages", "verdict"))).rstrip())
    return match.group(1)


def report_resolution(session, load):
    """One server twice, and one that really takes a tenth more CPU a message."""
    round_count = session.options.rounds
    program = catalogue.peer_program(session, catalogue.FLOOR)
    workload = catalogue.WORKLOADS["64x50"]
    with Server(catalogue.FLOOR, [program], session.server_cpu) as server:
        cost_us = load.run(server, workload).cpu_us_per_message
    servers = {"one": [program], "itself": [program],
               "slowed": slowed_server(session, int(cost_us * 1000 * SLOWED_BY))}
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as directory:
        folders = {name: os.path.join(directory, name) for name in servers}
        for folder in folders.values():
            os.mkdir(folder)
        for number in range(round_count):
            for name in rotate(list(servers), number):
                progress(f"resolution: round {number + 1} of {round_count}, {name}")
                with Server(name, servers[name], session.server_cpu) as server:
                    load.run(server, workload,
                             keep=os.path.join(folders[name], f"{number:04}.json"))
        progress("")
        verdicts = {}
        for name, what in (("itself", "itself"),
                           ("slowed", f"one that takes {SLOWED_BY:.0%} more CPU a message")):
            out(f"\n{catalogue.FLOOR} against {what}, {round_count} rounds, by tern compare")
            verdicts[name] = verdict_of(session, folders["one"], folders[name])
    return {"verdicts": verdicts,
            "holds": verdicts == {"itself": "not distinguishable", "slowed": "slower"}}


def report(session, loads):
    """`loads` are the same generator on several mechanisms, the one to believe first."""
    results = {"agreement": report_agreement(session, loads[0]),
               "drive": report_drive(session, loads),
               "resolution": report_resolution(session, loads[0])}
    failed = [name for name, each in results.items() if not each["holds"]]
    out(f"\nnot shown: {', '.join(failed)}" if failed else "\nall of it holds")
    return results, failed
