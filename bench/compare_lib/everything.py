"""The published comparison: every question that this directory can answer, one after the other,
about every peer and about tern on each backend that is built."""

from dataclasses import dataclass

from . import catalogue, check, counting, fanout, memory, rounds, tls


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


def without_reports(results):
    """What the loader wrote of each run is too much to keep; what was read from it stays."""
    for workload in results.values():
        for own in workload["runs"].values():
            for run in own:
                run.pop("report", None)
    return results


def count(plan, servers, terns, build, cpu, out):
    counted = {name: command for index, (name, command) in enumerate(servers.items())
               if plan.counts_all or index == 0 or name in terns}
    workloads = catalogue.choose_workloads([plan.counted])
    results = {}
    for what, report_count in counting.REPORTS.items():
        out("")
        results[what] = report_count(counted, workloads, cpu, build, out, plan.messages)
    return results


def report(build, builds, plan, load, round_count, cpus, out, progress, warn):
    """`builds` is {backend: build directory}; the peers and the loader are of `build`."""
    terns = {f"{catalogue.TERN}-{backend}": own for backend, own in builds.items()}
    servers = catalogue.choose_servers(build, terns, None, [], warn)
    results = {"check": check.report(servers, cpus[0], out)}
    results["echo"] = without_reports(
        rounds.report(load, servers, plan.workloads, round_count, cpus, out, progress))
    rooms = fanout.choose_servers(build, terns, None, warn)
    results["check_fanout"] = fanout.report_check(rooms, cpus[0], out)
    results["fanout"] = fanout.report(rooms, plan.receivers, round_count, cpus, out, progress)
    results["counts"] = count(plan, servers, terns, build, cpus[0], out)
    out("")
    results["memory"] = memory.report(servers, plan.idle_connections, 1, plan.quiet_s, cpus[0], out)
    with tls.certificates(build) as (certificate, key):
        secure = tls.choose_servers(build, terns, None, certificate, key, warn)
        results["check_tls"] = tls.report_check(secure, cpus[0], out)
        results["tls"] = without_reports(
            rounds.report(load, secure, tls.choose_workloads(plan.tls), round_count, cpus, out,
                          progress))
        results["tls_counts"] = count(plan, secure, terns, build, cpus[0], out)
    return results
