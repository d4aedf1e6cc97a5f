"""Processes that are measured: started pinned, awaited with a limit, ended by their own id, read
from /proc."""

import os
import platform
import re
import resource
import selectors
import signal
import subprocess
import tempfile
import time


class Failure(Exception):
    """Something that one line can explain: what went wrong, where, and what would be right."""


class UsageFailure(Failure):
    """A Failure that lies in the command line."""


READY_TIMEOUT_S = 30.0  # Long, because valgrind starts slowly.
STOP_TIMEOUT_S = 30.0
CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def raise_descriptor_limit():
    """Lets this process and its children hold as many connections as the machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def choose_cpus(server_cpu, loader_cpu):
    """Returns the two CPUs to pin to: those asked for, else the first and the second we may use."""
    allowed = sorted(os.sched_getaffinity(0))
    for name, cpu in (("--server-cpu", server_cpu), ("--loader-cpu", loader_cpu)):
        if cpu is not None and cpu not in allowed:
            raise UsageFailure(f"{name} {cpu}: this process may not use it; it may use {allowed}")
    server = allowed[0] if server_cpu is None else server_cpu
    others = [cpu for cpu in allowed if cpu != server]
    loader = loader_cpu if loader_cpu is not None else (others or [server])[0]
    return server, loader


def conditions(tern, server_cpu, loader_cpu):
    """What the figures hang on, for --json."""
    try:
        version = subprocess.run([tern, "--version"], capture_output=True, text=True, check=False,
                                 timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        version = "tern is not built"
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "tern": version,
            "kernel": platform.release(), "machine": platform.machine(), "cpu_model": model,
            "cpus": os.cpu_count(), "server_cpu": server_cpu, "loader_cpu": loader_cpu}


def prepare_child(cpu, batch):
    """Returns what a child does before it becomes the program: pin itself and, for counting, never
    preempt."""

    def prepare():
        os.sched_setaffinity(0, {cpu})
        if batch:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    return prepare


class Server:
    """A running echo server. A context manager, so that it is ended whatever happens."""

    def __init__(self, name, command, cpu, wrapper=(), batch=False):
        self.name = name
        self.will_be_killed = False  # by whom measures it
        self._log = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [*wrapper, *command],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log,
                preexec_fn=prepare_child(cpu, batch))
        except (OSError, subprocess.SubprocessError) as error:
            self._log.close()
            program = (wrapper or command)[0]
            raise Failure(f"{name}: cannot start {program} on CPU {cpu}: {error}") from error
        try:
            self.scheme, self.port = self._await_ready()
            self.pid = self._served_by() if wrapper else self._process.pid
        except BaseException:
            self._kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None and not self.will_be_killed:
            self.stop()
        else:
            self._kill()

    def stop(self):
        """Ends the server with SIGTERM and requires exit code 0."""
        if self._process.poll() is not None:
            words = self._last_words()
            self._close_files()
            raise Failure(f"{self.name}: ended during the measurement with code "
                          f"{self._process.returncode}: {words}")
        os.kill(self.pid, signal.SIGTERM)
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
            raise Failure(f"{self.name}: still running {STOP_TIMEOUT_S:.0f} s "
                          "after SIGTERM") from None
        words = self._last_words()
        self._close_files()
        if code != 0:
            raise Failure(f"{self.name}: exit code {code} after SIGTERM, expected 0: {words}")

    def _await_ready(self):
        """Returns scheme and port from the line `listening SCHEME://ADDRESS:PORT`, once the line
        `ready` has come."""
        text = b""
        deadline = time.monotonic() + READY_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\nready\n" not in b"\n" + text:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise Failure(f"{self.name}: not `ready` within {READY_TIMEOUT_S:.0f} s: "
                                  f"{self._last_words()}")
                if not selector.select(remaining):
                    continue
                chunk = os.read(self._process.stdout.fileno(), 4096)
                if not chunk:
                    raise Failure(f"{self.name}: ended before it was ready: {self._last_words()}")
                text += chunk
        match = re.search(rb"listening (tcp|tls)://[^\s]*:(\d+)", text)
        if match is None:
            raise Failure(f"{self.name}: printed no line `listening tcp://ADDRESS:PORT` or tls")
        return match.group(1).decode(), int(match.group(2))

    def _served_by(self):
        """The server itself when a tracer was started: the tracer's child, or the tracer when it
        has none (valgrind runs the server inside its own process)."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue  # It ended while we were looking.
            if parent == self._process.pid:
                return int(entry)
        return self._process.pid

    def _last_words(self):
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing to stderr"

    def _kill(self):
        pid = getattr(self, "pid", self._process.pid)
        if self._process.poll() is None:
            for target in {pid, self._process.pid}:
                try:
                    os.kill(target, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self._process.wait()
        self._close_files()

    def _close_files(self):
        self._process.stdout.close()
        self._log.close()


def has_ring(pid):
    """Whether the process waits in io_uring."""
    folder = f"/proc/{pid}/fd"
    return any(os.readlink(os.path.join(folder, descriptor)) == "anon_inode:[io_uring]"
               for descriptor in os.listdir(folder))


def cpu_seconds(pid):
    """CPU time of all threads of a process, in nanosecond steps where the kernel offers them."""
    try:
        total_ns = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as schedstat:
                total_ns += int(schedstat.read().split()[0])
        return total_ns / 1e9
    except (OSError, IndexError, ValueError):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError as error:
            raise Failure(f"process {pid} ended during the measurement") from error
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_SECOND


def busy_seconds(cpus):
    """Time that the given CPUs did not idle, by whomever, since boot."""
    total_ticks = 0
    with open("/proc/stat", encoding="ascii") as stat:
        for line in stat:
            fields = line.split()
            if fields[0] in {f"cpu{cpu}" for cpu in cpus}:
                user, nice, system, _idle, _io_wait, *rest = map(int, fields[1:9])
                total_ticks += user + nice + system + sum(rest)
    return total_ticks / CLOCK_TICKS_PER_SECOND


def resident_bytes(pid):
    """Resident memory. The roll-up is exact; VmRSS may lag behind by some hundred KiB."""
    for path, key in ((f"/proc/{pid}/smaps_rollup", "Rss:"), (f"/proc/{pid}/status", "VmRSS:")):
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.startswith(key):
                        return int(line.split()[1]) * 1024
        except OSError:
            continue
    raise Failure(f"process {pid}: no resident size in /proc; did it end?")


def times_blocked(pid):
    """How often the threads of a process went to sleep, which is one more than how often they woke
    up."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total
