"""Interleaved rounds of timed runs, and what may be concluded from them.

Machines drift, so only runs of the same round are compared, as ratios to the floor's run of that
round. The floor is the server named first, and is entered twice: what its twin's ratios spread over
is what this machine cannot tell apart."""

import statistics
from dataclasses import asdict, dataclass

from .catalogue import control_of
from .console import out, progress

FOREIGN_SHARE_LIMIT = 0.10
REPEATS_OF_A_DISTURBED_RUN = 2
ROUNDS_FOR_A_VERDICT = 5  # With fewer, chance alone leaves the control's range too often.
SMALLEST_DIFFERENCE = 0.03  # Less is called no difference, however narrow the control was.
RESOLUTION = 0.10  # A control wider than this cannot show that a server is level.

METRICS = (
    ("cpu_us_per_message", "server CPU, us per message", "{:.3f}"),
    ("messages_per_second", "messages per second", "{:,.0f}"),
    ("p99_us", "p99 latency, us", "{:,.0f}"),
)


@dataclass
class Comparison:
    """One server's ratios to the floor for one metric."""
    median: float
    lowest: float
    highest: float
    rounds: int  # that were undisturbed, or all where too few were
    verdict: str


def rotate(names, round_index):
    """Each server takes each place of a round in turn, so that none always runs after the same
    neighbour."""
    shift = round_index % len(names)
    return names[shift:] + names[:shift]


def verdict(median, control):
    """`above` or `below` only outside the control's spread, `level` only where that was narrow. The
    spread is the whole range, less one extreme ratio in ten on each side: more rounds must not make
    it wider for ever."""
    trimmed = len(control) // 10
    kept = sorted(control)[trimmed:len(control) - trimmed]
    lowest = min(kept[0], 1.0 - SMALLEST_DIFFERENCE)
    highest = max(kept[-1], 1.0 + SMALLEST_DIFFERENCE)
    if median > highest:
        return "above"
    if median < lowest:
        return "below"
    if highest - 1.0 <= RESOLUTION and 1.0 - lowest <= RESOLUTION:
        return "level"
    return "not distinguishable"


def is_disturbed(run):
    return run.foreign_share > FOREIGN_SHARE_LIMIT


def floor_of(runs):
    return next(iter(runs))


def same_round_ratios(runs, name, metric):
    """Returns (ratios to the floor, whether they may be judged). Rounds in which other processes
    took part in either run are left out, as long as enough remain."""
    pairs = list(zip(runs[name], runs[floor_of(runs)]))
    quiet = [pair for pair in pairs if not any(map(is_disturbed, pair))]
    enough = len(quiet) >= ROUNDS_FOR_A_VERDICT
    ratios = [getattr(run, metric) / getattr(floor, metric)
              for run, floor in (quiet if enough else pairs)]
    return ratios, enough


def compare(runs, metric):
    """Returns {server: Comparison} for every server but the floor."""
    floor = floor_of(runs)
    control, control_enough = same_round_ratios(runs, control_of(floor), metric)
    comparisons = {}
    for name in runs:
        if name == floor:
            continue
        ratios, enough = same_round_ratios(runs, name, metric)
        median = statistics.median(ratios)
        if name == control_of(floor):
            judged = "control"
        elif len(runs[name]) < ROUNDS_FOR_A_VERDICT:
            judged = "too few rounds"
        elif not (enough and control_enough):
            judged = "too much disturbed"
        else:
            judged = verdict(median, control)
        comparisons[name] = Comparison(median, min(ratios), max(ratios), len(ratios), judged)
    return comparisons


def quietest(run, repeats):
    """Repeats a disturbed run and keeps the one with least foreign CPU: chosen on that, not on the
    result."""
    candidates = []
    for _ in range(1 + repeats):
        candidates.append(run())
        if not is_disturbed(candidates[-1]):
            break
    return min(candidates, key=lambda run: run.foreign_share)


def in_rounds(session, title, entries, run):
    """Returns {name: [run(name, entry) of each round]}, the floor and its twin first."""
    round_count = session.options.rounds
    floor = next(iter(entries))
    entries = {floor: entries[floor], control_of(floor): entries[floor], **entries}
    runs = {name: [] for name in entries}
    # Where nothing will be judged, nothing is worth the time.
    repeats = REPEATS_OF_A_DISTURBED_RUN if round_count >= ROUNDS_FOR_A_VERDICT else 0
    for round_index in range(round_count):
        for name in rotate(list(entries), round_index):
            progress(f"{title}: round {round_index + 1} of {round_count}, {name}")
            runs[name].append(quietest(lambda name=name: run(name, entries[name]), repeats))
    progress("")
    return runs


def print_metric(runs, metric, title, style):
    comparisons = compare(runs, metric)
    out(f"\n  {title:<28}{'median':>10}  {'min-max':<21}{'x floor':>8}  {'min-max':<13}verdict")
    for name, server_runs in runs.items():
        values = [getattr(run, metric) for run in server_runs]
        spread = f"{style.format(min(values))}-{style.format(max(values))}"
        line = f"  {name:<28}{style.format(statistics.median(values)):>10}  {spread:<21}"
        if name in comparisons:
            row = comparisons[name]
            line += f"{row.median:>8.2f}  {f'{row.lowest:.2f}-{row.highest:.2f}':<13}{row.verdict}"
        out(line.rstrip())
    return {name: asdict(row) for name, row in comparisons.items()}


def print_cautions(runs):
    """What the reader must know before believing the tables."""
    loader_share = statistics.median(run.loader_share for run in runs[floor_of(runs)])
    note = f"  loader at {loader_share:.0%} of its CPU against the floor"
    if loader_share >= 0.9:
        note += ": messages per second are its limit and cannot rank the fast servers"
    out("\n" + note)
    all_runs = [run for server_runs in runs.values() for run in server_runs]
    disturbed = [run.foreign_share for run in all_runs if is_disturbed(run)]
    if disturbed:
        out(f"  {len(disturbed)} of {len(all_runs)} runs shared the CPUs with other processes, "
            f"even when repeated (worst: {max(disturbed):.0%})")
    if any(run.cpu_is_approximate for run in all_runs):
        out("  the loader gave no server CPU: it was read over the whole runs, connecting and "
            "warm-up included")


def conclude(runs):
    """Prints the tables of one workload, and returns what --json keeps of it."""
    comparisons = {metric: print_metric(runs, metric, title, style)
                   for metric, title, style in METRICS}
    print_cautions(runs)
    return {"comparisons": comparisons,
            "runs": {name: [asdict(run) for run in own] for name, own in runs.items()}}
