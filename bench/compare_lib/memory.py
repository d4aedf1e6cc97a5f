"""What an idle connection costs a server: resident memory, and wake-ups while nothing happens."""

import statistics
import time

from . import arguments, catalogue
from .client import Client
from .console import out
from .process import Server, resident_bytes, times_blocked

MESSAGE_BYTES = 64


def register(commands):
    parser = commands.add_parser("memory", help="resident memory and wake-ups of idle connections")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_servers(parser)
    arguments.add_server(parser)
    parser.add_argument("--connections", type=arguments.positive(int), default=10_000, metavar="N",
                        help="(default: 10000)")
    arguments.add_rounds(parser, 3)
    parser.add_argument("--quiet", type=arguments.positive(float), default=5.0, metavar="S",
                        help="how long to count wake-ups (default: 5)")


def run(session):
    options = session.options
    servers = catalogue.choose_servers(session, options.servers, options.server)
    return report(session, servers, options.connections, options.rounds, options.quiet)


def measure(name, command, connections, quiet_s, cpu):
    """Returns (bytes per connection, wake-ups during `quiet_s`). One connection stays open from
    before the first reading, so that what is allocated once for all is not charged to the
    others."""
    with Server(name, command, cpu) as server, Client(server, MESSAGE_BYTES) as client:
        client.open(1)
        before = resident_bytes(server.pid)
        client.open(connections)
        after = resident_bytes(server.pid)
        time.sleep(0.2)  # Lets the server return to its wait before wake-ups are counted.
        blocked_before = times_blocked(server.pid)
        time.sleep(quiet_s)
        wake_ups = times_blocked(server.pid) - blocked_before
    return (after - before) / connections, wake_ups


def report(session, servers, connections, rounds, quiet_s):
    out(f"User memory per idle connection: resident memory with {connections:,} connections, each "
        f"having echoed one message, less that with none; median of {rounds}")
    out(f"\n  {'server':<22}{'B/connection':>13}{'min-max':>17}{f'wake-ups in {quiet_s:g} s':>21}")
    results = {}
    for name, command in servers.items():
        runs = [measure(name, command, connections, quiet_s, session.server_cpu)
                for _ in range(rounds)]
        sizes = [size for size, _ in runs]
        wake_ups = max(count for _, count in runs)
        results[name] = {"bytes_per_connection": sizes, "wake_ups": [count for _, count in runs]}
        spread = f"{min(sizes):.1f}-{max(sizes):.1f}"
        out(f"  {name:<22}{statistics.median(sizes):>13.1f}{spread:>17}{wake_ups:>21}")
    return results
