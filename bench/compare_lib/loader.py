"""Runs the load generator (`tern load`, or another with its options and its JSON) against one
server."""

import json
import os
import shlex
import subprocess
import tempfile
import time
from dataclasses import dataclass

from .console import warn
from .process import Failure, UsageFailure, busy_seconds, cpu_seconds, prepare_child

GRACE_S = 60.0  # For connecting, warming up and draining, beyond the time asked for.


@dataclass
class Run:
    """One round of one server."""
    cpu_us_per_message: float
    messages_per_second: float
    p99_us: float
    loader_share: float   # of its CPU
    foreign_share: float  # of both CPUs: other processes, and time stolen by the host
    cpu_is_approximate: bool
    report: dict


class Loader:
    """The program that makes the load: that of --loader, else `tern load` of `build` or of the one
    that is compared. It is asked once which options it knows."""

    def __init__(self, session, build=None):
        options = session.options
        command = [os.path.join(build or options.build, "tern"), "load"]
        if options.loader:
            command = shlex.split(options.loader)
        self._command = command
        self._cpu = session.loader_cpu
        self._cpus = {session.loader_cpu, session.server_cpu}
        self._duration_s = options.duration
        self._warmup_s = options.warmup
        if os.sep in command[0] and not os.access(command[0], os.X_OK):
            raise Failure(f"load generator: {command[0]} is not built; run ninja, "
                          "or name another with --loader")
        try:
            self._help = subprocess.run([*command, "--help"], capture_output=True, text=True,
                                        timeout=10, check=False).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"load generator: {command[0]} --help: {error}") from error

    def knows(self, option):
        return option in self._help

    @property
    def holds_idle(self):
        """Whether it can hold connections without traffic beside those it loads."""
        return self.knows("--idle")

    def _connections(self, workload):
        options = ["-c", str(workload.connections)]
        if workload.idle_connections and self.holds_idle:
            options += ["--idle", str(workload.idle_connections)]
        return options

    def run(self, server, workload, keep=None):
        """Loads the server once and returns the Run; any loader error is a Failure. `keep` names a
        file for what the loader wrote."""
        with tempfile.TemporaryDirectory(prefix="bench-compare-") as directory:
            path = keep or os.path.join(directory, "report.json")
            command = [
                *self._command, f"{server.scheme}://127.0.0.1:{server.port}",
                *self._connections(workload), *workload.options,
                "-s", str(workload.message_bytes), "-p", str(workload.depth),
                "-d", f"{self._duration_s:g}s", "--warmup", f"{self._warmup_s:g}s",
                "--json", path, "--server-pid", str(server.pid)]
            if workload.churn:
                command.append("--churn")
            if server.scheme == "tls":
                command.append("--tls-insecure")
            busy_before, server_before = busy_seconds(self._cpus), cpu_seconds(server.pid)
            started = time.monotonic()
            loader_cpu_s = self._await(command, server.name)
            elapsed = time.monotonic() - started
            server_cpu_s = cpu_seconds(server.pid) - server_before
            busy_s = busy_seconds(self._cpus) - busy_before
            report = self._read(path, server.name)
        cpu_us, approximate = self._cpu_us_per_message(report, server_cpu_s)
        foreign_s = max(0.0, busy_s - server_cpu_s - loader_cpu_s)
        return Run(
            cpu_us_per_message=cpu_us,
            messages_per_second=report["messages_per_second"],
            p99_us=report["latency_us"]["p99"],
            loader_share=loader_cpu_s / elapsed,
            foreign_share=foreign_s / elapsed / len(self._cpus),
            cpu_is_approximate=approximate,
            report=report)

    def _await(self, command, name):
        """Runs the command within a time limit and returns the CPU seconds it used."""
        before = os.times()
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=self._duration_s + self._warmup_s + GRACE_S,
                preexec_fn=prepare_child(self._cpu, batch=False))
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{name}: the load generator did not end within "
                          f"{error.timeout:.0f} s") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise Failure(f"load generator: cannot start {command[0]}: {error}") from error
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise Failure(f"{name}: the load generator ended with code {done.returncode}: "
                          f"{lines[-1]}")
        after = os.times()
        return (after.children_user - before.children_user
                + after.children_system - before.children_system)

    def _read(self, path, name):
        try:
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
            float(report["messages_per_second"])
            float(report["latency_us"]["p99"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failure(f"{name}: the load generator's JSON is not as expected: "
                          f"{error!r}") from error
        errors = report.get("errors", 0)
        if (sum(errors.values()) if isinstance(errors, dict) else errors) != 0:
            raise Failure(f"{name}: the load generator counted errors: {errors}")
        if report["messages_per_second"] <= 0:
            raise Failure(f"{name}: the load generator counted no message in "
                          f"{report.get('duration_s', self._duration_s)} s")
        return report

    def _cpu_us_per_message(self, report, server_cpu_s):
        """The loader's own reading over the measured interval; without it, ours over the whole run,
        which also charges connecting to the messages."""
        cpu_us = report.get("server_cpu_us_per_message")
        if isinstance(cpu_us, (int, float)) and cpu_us > 0:
            return float(cpu_us), False
        messages = report["messages_per_second"] * (self._duration_s + self._warmup_s)
        return server_cpu_s * 1e6 / messages, True


def choose(session, workloads, build=None):
    """Returns the Loader, which can do these workloads."""
    load = Loader(session, build)
    for workload in workloads:
        if workload.churn and not load.knows("--churn"):
            raise UsageFailure("--workload churn: the load generator has no --churn")
    if session.server_cpu == session.loader_cpu:
        warn("only one CPU: server and loader share it, and the figures show that")
    return load
