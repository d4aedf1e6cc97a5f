"""The echo servers behind TLS: against OpenSSL on bare epoll, and what resumption saves."""

import contextlib
import os
import subprocess
import tempfile
from dataclasses import replace

from . import arguments, catalogue, counting, echo, echo_check, loader, rounds
from .console import out
from .process import Failure, Server

FLOOR = "bare_tls"
PEERS = (FLOOR, "bare_io_uring_tls", "libuv_tls", "libev_tls", "libevent_tls", "asio_tls")
WORKLOADS = ("64x50", "16KiBx50", "handshake")
HANDSHAKE = catalogue.Workload("handshake", 64, 50, churn=True, options=("--no-resume",))
RESUMPTION = ("--tls-max", "1.2")
RESUMED, FULL = "resumed, TLS 1.2", "full with RSA 2048, TLS 1.2"


def register(commands):
    parser = commands.add_parser(
        "tls", help="the same behind TLS, against OpenSSL on bare epoll; handshakes, resumption")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_timed(parser)
    arguments.add_servers(parser)
    parser.add_argument("--workload", nargs="+", default=list(WORKLOADS), metavar="W",
                        help="of those of `echo`, and handshake (default: "
                             f"{' '.join(WORKLOADS)})")


def run(session):
    workloads = choose_workloads(session.options.workload)
    load = loader.choose(session, workloads)
    with certificates(session) as (certificate, key):
        servers = choose_servers(session, certificate, key, session.options.servers)
        results = echo.report(session, load, servers, workloads)
        counted = [workload for workload in workloads
                   if not (workload.churn or workload.idle_connections)]
        for name, count in counting.REPORTS.items() if counted else ():
            out("")
            results[name] = count(session, servers, counted)
    if HANDSHAKE in workloads:
        results["resumption"] = report_resumption(session, load)
    return results


@contextlib.contextmanager
def certificates(session, *options):
    """Yields (certificate, key), two files that live as long as the context."""
    command = os.path.join(session.options.build, "tern")
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as directory:
        try:
            subprocess.run([command, "cert", "--out", directory, *options], check=True,
                           capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", None) or error
            raise Failure(f"{command} cert: {str(words).strip()}") from error
        yield os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")


def tern_command(build, certificate, key):
    return [os.path.join(build, "tern"), "echo", "--listen", "tls://127.0.0.1:0", "--workers", "1",
            "--tls-cert", certificate, "--tls-key", key]


def choose_servers(session, certificate, key, wanted=None):
    """Returns {name: command}, the floor first; `wanted` is None for all that are built."""
    commands = {name: [catalogue.peer_program(session, name), certificate, key] for name in PEERS}
    commands.update({name: tern_command(own, certificate, key)
                     for name, own in session.terns.items()})
    return catalogue.those_built(session, commands, FLOOR, wanted)


def choose_workloads(names):
    return [HANDSHAKE if name == HANDSHAKE.name else catalogue.choose_workloads([name])[0]
            for name in names]


def report_resumption(session, load):
    """CPU of a resumed handshake as a part of a full one's with RSA, connect and one message
    included in both."""
    full = replace(HANDSHAKE, options=(*RESUMPTION, "--no-resume"))
    workloads = {FULL: full, RESUMED: replace(HANDSHAKE, options=RESUMPTION)}
    with certificates(session, "--rsa") as (certificate, key):
        command = tern_command(session.options.build, certificate, key)

        def run_once(name, workload):
            with Server(name, command, session.server_cpu) as server:
                return load.run(server, workload)

        runs = rounds.in_rounds(session, "resumption", workloads, run_once)
    out(f"\nresumption: a connection, a handshake and one message; {session.options.rounds} rounds")
    return rounds.conclude(runs)


def report_check(session, servers):
    out("")
    return echo_check.report(session, servers, " behind TLS")
