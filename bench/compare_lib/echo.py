"""One message after the other, echoed: CPU per message, messages per second and p99 of every
server, in rounds."""

from . import arguments, catalogue, loader, rounds
from .client import Client
from .console import out
from .process import Server


def register(commands):
    parser = commands.add_parser(
        "echo", help="CPU per message, messages per second and p99, in interleaved rounds")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_servers(parser)
    arguments.add_server(parser)
    arguments.add_timed(parser)
    arguments.add_workload(parser, ["64x50"])


def run(session):
    options = session.options
    servers = catalogue.choose_servers(session, options.servers, options.server)
    workloads = catalogue.choose_workloads(options.workload)
    return report(session, loader.choose(session, workloads), servers, workloads)


def run_once(session, load, name, command, workload):
    """One fresh server under load. We hold the idle connections if the loader cannot."""
    with Server(name, command, session.server_cpu) as server, \
            Client(server, workload.message_bytes) as idle:
        if not load.holds_idle:
            idle.open(workload.idle_connections)
        return load.run(server, workload)


def report(session, load, servers, workloads):
    results = {}
    for workload in workloads:
        runs = rounds.in_rounds(
            session, workload.name, servers,
            lambda name, command, workload=workload: run_once(session, load, name, command,
                                                              workload))
        out(f"\n{workload.name}: {workload.describe()}; {session.options.rounds} rounds, "
            f"server on CPU {session.server_cpu}, loader on CPU {session.loader_cpu}")
        results[workload.name] = rounds.conclude(runs)
    return results
