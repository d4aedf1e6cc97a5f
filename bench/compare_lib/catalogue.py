"""Which servers and which workloads there are."""

import json
import os
import shlex
from dataclasses import dataclass

from .console import warn
from .process import Failure, UsageFailure

FLOOR = "bare_epoll"
PEERS = (FLOOR, "bare_io_uring", "libuv_echo", "libev_echo", "libevent_echo", "asio_echo")
TERN = "tern"


@dataclass(frozen=True)
class Workload:
    name: str
    message_bytes: int
    connections: int
    depth: int = 1
    idle_connections: int = 0
    churn: bool = False
    options: tuple = ()  # of the load generator, beyond what the others say

    def describe(self):
        text = f"{self.connections:,} connections, {self.message_bytes:,} B, depth {self.depth}"
        if self.idle_connections:
            text += f", {self.idle_connections:,} more connections idle"
        if self.churn:
            text += ", one message per connection"
        return text


WORKLOADS = {workload.name: workload for workload in (
    Workload("64x1", 64, 1),
    Workload("64x50", 64, 50),
    Workload("64x1000", 64, 1000),
    Workload("16x64x100", 64, 100, depth=16),
    Workload("16KiBx50", 16 * 1024, 50),
    Workload("10k-100active", 64, 100, idle_connections=9_900),
    Workload("churn", 64, 50, churn=True),
)}


def choose_workloads(names):
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise UsageFailure(f"--workload {unknown[0]}: unknown; there are {', '.join(WORKLOADS)}")
    return [WORKLOADS[name] for name in names]


def control_of(name):
    """A program entered a second time, to see what two runs of one program differ by."""
    return f"{name} (control)"


def tern_command(build):
    return [os.path.join(build, "tern"), "echo", "--listen", "tcp://127.0.0.1:0", "--workers", "1"]


def peer_program(session, name):
    return os.path.join(session.options.build, "bench", "peers", name)


def choose_servers(session, wanted=None, additional=()):
    """Returns {name: command}, the floor first. `wanted` is None for all that are built;
    `additional` holds NAME=COMMAND texts."""
    commands = {name: [peer_program(session, name)] for name in PEERS}
    commands.update({name: tern_command(own) for name, own in session.terns.items()})
    for text in additional:
        name, equals, command = text.partition("=")
        if not equals or not name or not command.strip():
            raise UsageFailure(f"--server {text}: expected NAME=COMMAND")
        if name in commands or name == control_of(FLOOR):
            raise UsageFailure(f"--server {text}: the name {name} is taken")
        commands[name] = shlex.split(command)
        if wanted is not None and name not in wanted:
            wanted = [*wanted, name]

    return those_built(session, commands, FLOOR, wanted)


def require_known(wanted, names):
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        raise UsageFailure(f"--servers {unknown[0]}: unknown; there are "
                           f"{', '.join(dict.fromkeys(names))}")


def among(wanted, names):
    """Those of the wanted ones that have these names; None, for all, stays None."""
    return None if wanted is None else [name for name in wanted if name in names]


def those_built(session, commands, floor, wanted):
    """Returns those of {name: command} that are wanted (None: all), the floor first. One that was
    asked for by name must be built; one that was not is skipped aloud."""
    require_known(wanted, commands)
    build, chosen = session.options.build, {}
    for name in [floor, *(name for name in (wanted or commands) if name != floor)]:
        program = commands[name][0]
        is_ours = os.path.abspath(program).startswith(os.path.abspath(build) + os.sep)
        if is_ours and not os.access(program, os.X_OK):
            problem = (f"{name}: {program} is not built; run tools/setup bench {build} "
                       f"-Dbenchmarks=enabled, then ninja -C {build}")
            if name == floor or wanted is not None:
                raise Failure(problem)
            warn(f"skipped {problem}")
            continue
        chosen[name] = commands[name]
    return chosen


def warn_of_slow_build(build):
    """Figures of a debug or sanitizer build mean nothing, and nothing else would say so."""
    try:
        path = os.path.join(build, "meson-info", "intro-buildoptions.json")
        with open(path, encoding="utf-8") as file:
            options = {option["name"]: option["value"] for option in json.load(file)}
    except (OSError, ValueError, KeyError):
        return
    if options.get("optimization") not in ("2", "3", "s"):
        warn(f"{build} is built with optimization={options.get('optimization')}; "
             "use --buildtype=release")
    if options.get("b_sanitize", "none") not in ("none", []):
        warn(f"{build} is built with b_sanitize={options['b_sanitize']}; "
             "the figures are the sanitizer's")
