"""The echo servers behind TLS: against OpenSSL on bare epoll, and what resumption saves."""

import contextlib
import os
import subprocess
import tempfile
from dataclasses import replace

from . import catalogue, check, counting, rounds
from .process import Failure, Server

FLOOR = "bare_tls"
PEERS = (FLOOR, "bare_io_uring_tls", "libuv_tls", "libev_tls", "libevent_tls", "asio_tls")
WORKLOADS = ("64x50", "16KiBx50", "handshake")
HANDSHAKE = catalogue.Workload("handshake", 64, 50, churn=True, options=("--no-resume",))
RESUMPTION = ("--tls-max", "1.2")
RESUMED, FULL = "resumed, TLS 1.2", "full with RSA 2048, TLS 1.2"


@contextlib.contextmanager
def certificates(build, *options):
    """Yields (certificate, key), two files that live as long as the context."""
    command = os.path.join(build, "tern")
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


def choose_servers(build, terns, wanted, certificate, key, warn):
    """Returns {name: command}, the floor first; `terns` is {name: build directory}."""
    commands = {name: [os.path.join(build, "bench", "peers", name), certificate, key]
                for name in PEERS}
    commands.update({name: tern_command(own, certificate, key) for name, own in terns.items()})
    return catalogue.those_built(commands, FLOOR, build, wanted, warn)


def choose_workloads(names):
    return [HANDSHAKE if name == HANDSHAKE.name else catalogue.choose_workloads([name])[0]
            for name in names]


def report_resumption(build, load, round_count, cpus, out, progress):
    """CPU of a resumed handshake as a part of a full one's with RSA, connect and one message
    included in both."""
    full = replace(HANDSHAKE, options=(*RESUMPTION, "--no-resume"))
    workloads = {FULL: full, RESUMED: replace(HANDSHAKE, options=RESUMPTION)}
    with certificates(build, "--rsa") as (certificate, key):
        command = tern_command(build, certificate, key)

        def run(name, workload):
            with Server(name, command, cpus[0]) as server:
                return load.run(server, workload)

        runs = rounds.in_rounds("resumption", workloads, round_count, run, progress)
    out(f"\nresumption: a connection, a handshake and one message; {round_count} rounds")
    return rounds.conclude(runs, out)


def report_check(servers, cpu, out):
    out("")
    return check.report(servers, cpu, out, " behind TLS")


def report(arguments, load, cpus, out, progress, warn):
    workloads = choose_workloads(arguments.workload)
    with certificates(arguments.build) as (certificate, key):
        servers = choose_servers(arguments.build, {catalogue.TERN: arguments.build},
                                 arguments.servers, certificate, key, warn)
        results = rounds.report(load, servers, workloads, arguments.rounds, cpus, out, progress)
        counted = [workload for workload in workloads
                   if not (workload.churn or workload.idle_connections)]
        for name, count in counting.REPORTS.items() if counted else ():
            out("")
            results[name] = count(servers, counted, cpus[0], arguments.build, out)
    if HANDSHAKE in workloads:
        results["resumption"] = report_resumption(
            arguments.build, load, arguments.rounds, cpus, out, progress)
    return results
