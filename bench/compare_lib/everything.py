"""The published comparison: every question that this directory can answer, one after the other,
about every peer and about tern on each backend that is built."""

from dataclasses import dataclass

from . import (
    arguments, backends, catalogue, counting, echo, echo_check, fanout, loader, memory, publish,
    tls)
from .console import out
from .process import UsageFailure


@dataclass(frozen=True)
class Plan:
    echo: tuple  # names of workloads
    tls: tuple
    receivers: int
    idle_connections: int
    quiet_s: float
    counted: str         # the workload whose instructions and system calls are counted
    messages: tuple      # counted, or None for what is exact to the tenth of an instruction
    counts_all: bool     # or the floors and tern only

    @property
    def workloads(self):
        return catalogue.choose_workloads(self.echo)


FULL = Plan(echo=("64x50", "64x1000", "16x64x100", "16KiBx50", "churn"), tls=tls.WORKLOADS,
            receivers=1000, idle_connections=10_000, quiet_s=2.0, counted="64x50", messages=None,
            counts_all=True)
QUICK = Plan(echo=("64x50",), tls=("64x50",), receivers=20, idle_connections=200, quiet_s=0.2,
             counted="64x50", messages=(500, 1000), counts_all=False)


def register(commands):
    parser = commands.add_parser(
        "all", help="the published comparison: echo, TLS, fan-out, counts, memory; every peer, "
                    "and tern on each backend that is built")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_others(parser)
    arguments.add_timed(parser)
    parser.add_argument("--quick", action="store_true",
                        help="everything once and briefly: does it work? No figure means anything")
    parser.add_argument("--publish", action="store_true",
                        help="put the result in docs/ and on README's first screen")


def run(session):
    options = session.options
    if options.quick and options.publish:
        raise UsageFailure("--quick and --publish contradict each other: no figure of a quick run "
                           "means anything")
    if options.quick:
        options.rounds, options.duration, options.warmup = 1, 0.2, 0.05
    plan = QUICK if options.quick else FULL
    load = loader.choose(session, plan.workloads)
    session.terns = {f"{catalogue.TERN}-{backend}": build
                     for backend, build in backends.choose_builds(session).items()}
    results = report(session, load, plan)
    out(publish.tables(results))
    return results


def without_reports(results):
    """What the loader wrote of each run is too much to keep; what was read from it stays."""
    for workload in results.values():
        for own in workload["runs"].values():
            for run in own:
                run.pop("report", None)
    return results


def count(session, plan, servers):
    counted = {name: command for index, (name, command) in enumerate(servers.items())
               if plan.counts_all or index == 0 or name in session.terns}
    workloads = catalogue.choose_workloads([plan.counted])
    results = {}
    for what, report_count in counting.REPORTS.items():
        out("")
        results[what] = report_count(session, counted, workloads, plan.messages)
    return results


def report(session, load, plan):
    servers = catalogue.choose_servers(session)
    results = {"check": echo_check.report(session, servers)}
    results["echo"] = without_reports(echo.report(session, load, servers, plan.workloads))
    relaying = fanout.choose_servers(session)
    results["check_fanout"] = fanout.report_check(session, relaying)
    results["fanout"] = fanout.report(session, relaying, plan.receivers)
    results["counts"] = count(session, plan, servers)
    out("")
    results["memory"] = memory.report(session, servers, plan.idle_connections, 1, plan.quiet_s)
    with tls.certificates(session) as (certificate, key):
        secure = tls.choose_servers(session, certificate, key)
        results["check_tls"] = tls.report_check(session, secure)
        results["tls"] = without_reports(
            echo.report(session, load, secure, tls.choose_workloads(plan.tls)))
        results["tls_counts"] = count(session, plan, secure)
    return results
