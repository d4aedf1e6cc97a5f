"""Exact counts: user-space instructions and system calls per message, each as the slope between two
runs, so that start, connecting and ending cancel out. Instructions of a server on io_uring, which
valgrind cannot run, are counted by single steps between two moments of one run instead."""

import os
import re
import shutil
import subprocess
import tempfile
import time

from . import arguments, catalogue
from .client import Client, lockstep
from .console import out
from .process import Failure, Server, UsageFailure, has_ring, prepare_child


def register(commands):
    for name, tool in (("instructions", "callgrind"), ("syscalls", "strace")):
        parser = commands.add_parser(name, help=f"exact {name} per message, by {tool}")
        parser.set_defaults(run=run)
        arguments.add_build(parser)
        arguments.add_servers(parser)
        arguments.add_server(parser)
        arguments.add_workload(parser, ["64x50"])


def run(session):
    options = session.options
    servers = catalogue.choose_servers(session, options.servers, options.server)
    workloads = catalogue.choose_workloads(options.workload)
    for workload in workloads:
        if workload.churn or workload.idle_connections:
            raise UsageFailure(f"--workload {workload.name}: only `echo` can run it")
    return REPORTS[options.command](session, servers, workloads)


def require_tool(name):
    if shutil.which(name) is None:
        raise Failure(f"{name} is not installed; on Debian: apt-get install {name}")


def instructions_in(path, name):
    """The total of a callgrind output file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                match = re.match(r"(?:summary|totals): (\d+)", line)
                if match:
                    return {"instructions": int(match.group(1))}
    except OSError:
        pass
    raise Failure(f"{name}: callgrind wrote no totals; the server must exit by itself on SIGTERM")


def system_calls_in(path, name):
    """{name: calls} of a table written by strace -c."""
    calls = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                fields = line.split()
                if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
                    calls[fields[-1]] = int(fields[3])
    except OSError:
        pass
    if not calls:
        raise Failure(f"{name}: strace wrote no table; may this user trace processes?")
    return calls


INSTRUCTIONS = {
    "tool": "valgrind",
    "wrapper": lambda path: [
        "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={path}"],
    "read": instructions_in,
    "messages": (10_000, 30_000),
}
SYSTEM_CALLS = {
    "tool": "strace",
    "wrapper": lambda path: ["strace", "-f", "-c", "-o", path],
    "read": system_calls_in,
    "messages": (20_000, 60_000),
}
STEPPED_MESSAGES = 100
SETTLED_S = 0.5  # What an answer leaves to be done after it is a part of its cost.


def count_run(how, name, command, workload, messages, cpu):
    """One run under the tool; returns (messages echoed, counts)."""
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as directory:
        path = os.path.join(directory, "counts")
        with Server(name, command, cpu, how["wrapper"](path), batch=True) as server:
            with lockstep(cpu), Client(server, workload.message_bytes, workload.depth) as client:
                client.open(workload.connections)
                echoed = client.run(messages)
        return echoed, how["read"](path, name)


def slope(how, name, command, workload, cpu, messages=None):
    """Returns {what: count per message}."""
    few, many = messages or how["messages"]
    few_echoed, few_counts = count_run(how, name, command, workload, few, cpu)
    many_echoed, many_counts = count_run(how, name, command, workload, many, cpu)
    return {what: (many_counts.get(what, 0) - few_counts.get(what, 0)) / (many_echoed - few_echoed)
            for what in {**few_counts, **many_counts}}


def count_steps(session, name, command, workload, messages):
    """Instructions per message, each of them a stop of the server: few messages must do. Returns
    None for a server without a ring."""
    tool, cpu = catalogue.peer_program(session, "step_count"), session.server_cpu
    with Server(name, command, cpu, batch=True) as server:
        if not has_ring(server.pid):
            return None
        with lockstep(cpu), Client(server, workload.message_bytes, workload.depth) as client:
            client.open(workload.connections)
            client.run(STEPPED_MESSAGES)  # Until pools and rings have the size that they keep.
            time.sleep(SETTLED_S)
            try:
                counter = subprocess.Popen(
                    [tool, str(server.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True, preexec_fn=prepare_child(cpu, batch=True))
            except (OSError, subprocess.SubprocessError) as error:
                raise Failure(f"cannot start {tool}: {error}; run ninja -C "
                              f"{session.options.build}") from error
            try:
                echoed = client.run(messages) if counter.stdout.readline() else 0
                time.sleep(SETTLED_S)
            finally:
                server.will_be_killed = True
                counter.terminate()
                counted, words = counter.communicate()
    if not counted.strip().isdigit():
        raise Failure(f"{name}: {words.strip() or 'step_count gave no number'}; may this user "
                      "trace processes?")
    return int(counted) / echoed


def report_instructions(session, servers, workloads, messages=None):
    require_tool("valgrind")
    few, many = messages or INSTRUCTIONS["messages"]
    stepped = min(few, STEPPED_MESSAGES)
    out(f"User-space instructions per echoed message (callgrind, slope between {few:,} and "
        f"{many:,} messages; with *: single steps over {stepped} messages)")
    results = {}
    for workload in workloads:
        out(f"\n{workload.name}: {workload.describe()}")
        for name, command in servers.items():
            count = count_steps(session, name, command, workload, stepped)
            mark = "" if count is None else " *"
            if count is None:
                count = slope(INSTRUCTIONS, name, command, workload, session.server_cpu,
                              messages)["instructions"]
            results.setdefault(workload.name, {})[name] = count
            out(f"  {name:<22}{count:>10.1f}{mark}")
    return results


def report_system_calls(session, servers, workloads, messages=None):
    require_tool("strace")
    few, many = messages or SYSTEM_CALLS["messages"]
    out(f"System calls per echoed message (strace, slope between {few:,} and {many:,} messages)")
    results = {}
    for workload in workloads:
        out(f"\n{workload.name}: {workload.describe()}")
        for name, command in servers.items():
            calls = slope(SYSTEM_CALLS, name, command, workload, session.server_cpu, messages)
            # A handful over forty thousand messages (a timer, a clock) is not a cost per message.
            calls = {call: count for call, count in calls.items() if abs(count) >= 0.0005}
            results.setdefault(workload.name, {})[name] = calls
            by_count = sorted(calls.items(), key=lambda item: -item[1])
            listed = ", ".join(f"{call} {count:.3f}" for call, count in by_count)
            out(f"  {name:<22}{sum(calls.values()):>7.3f}   {listed}")
    return results


REPORTS = {"instructions": report_instructions, "syscalls": report_system_calls}
