"""The phases that run on any backend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from emco_store.contracts.histories import linearizability, serializability
from emco_store.contracts.histories.history import History, Result
from proof import pairs, races, versions
from proof.feeds import Audience
from proof.mutants import DEFECTS
from proof.nemesis import Calm, Lossy, seeded
from proof.phase import Budget, Phase, PhaseResult, Round, loads, rounds
from proof.replays import Sent
from proof.rig import Rig
from proof.running import Load, check_store, look_finally, read_finally, run
from proof.stepping import run_deployments, run_lists, run_registers

EVERYWHERE: Final = ("memory", "redis", "mongo")
READERS: Final = 4
"""How many readers of the feed there are beside each workload; half as many in a quick run."""
_SERIES: Final = 500


def _played(rig: Rig, one: Round, result: PhaseResult) -> tuple[str, History]:
    """Play a round beside readers of the feed."""
    namespace = rig.namespace()
    sent = None if one.load.processes and rig.url else Sent()  # other processes do not say what they send
    noted = rig if sent is None else replace(rig, around=sent.around)
    readers = READERS // 2 if one.load.seconds is None else READERS
    with Audience(rig.fresh, namespace, readers, seed=one.seed, sent=sent) as audience:
        known = run(noted, one.load, one.nemesis, seed=one.seed, out=one.out, namespace=namespace)
    told = audience.told(gaps=rig.name == "memory")  # a feed in memory is too short for a long round
    result.add(events_told=told.events)
    result.violated([f"round {one.number}, {text}" for text in told.violations])
    result.struck(dict(one.nemesis.counters), known.counts)
    result.add(
        rounds=1,
        operations=len(known.operations),
        failed=len(known.of(Result.FAILED)),
        unknown=len(known.of(Result.UNKNOWN)),
    )
    result.most(worst_ms=max((operation.took_ms for operation in known.operations), default=0.0))
    surprises = {operation.problem for operation in known.operations if operation.problem.startswith("unexpected")}
    result.violated(sorted(surprises))
    return namespace, known


def transactions(
    rig: Rig, budget: Budget, *, seed: int, out: Path, by: tuple[Load, ...] = loads("lists")
) -> PhaseResult:
    """Judge transactions on lists for strict serializability."""
    result = PhaseResult("transactions", rig.name, seed)
    for one in rounds(by, (Calm, Lossy), budget, seed, out):
        namespace, known = _played(rig, one, result)
        verdict = serializability.check(read_finally(rig, namespace, known, one.out).operations)
        result.add(transactions=verdict.transactions, reads=verdict.reads, appends=verdict.appends, edges=verdict.edges)
        result.add(anomalies=verdict.counts.total())
        result.violated([f"round {one.number}, {each.kind}: {each.text}" for each in verdict.anomalies])
        rig.forget(namespace)
    return result


def lifecycles(
    rig: Rig, budget: Budget, *, seed: int, out: Path, by: tuple[Load, ...] = loads("deployments")
) -> PhaseResult:
    """Judge transitions, approvals, rollbacks, restores, statuses and deletes for strict serializability."""
    result = PhaseResult("lifecycles", rig.name, seed)
    for one in rounds(by, (Calm, Lossy), budget, seed, out):
        namespace, known = _played(rig, one, result)
        found = look_finally(rig, namespace, known, one.out)
        verdict = versions.check(found.operations)
        result.add(transactions=verdict.transactions, reads=verdict.reads, appends=verdict.appends, edges=verdict.edges)
        result.add(**versions.counted(found.operations), anomalies=verdict.counts.total())
        checked, flaws = check_store(rig, namespace)
        result.add(records_checked=checked)
        result.violated([f"round {one.number}, {each.kind}: {each.text}" for each in verdict.anomalies])
        result.violated([f"round {one.number}: {flaw}" for flaw in flaws])
        rig.forget(namespace)
    return result


def registers(
    rig: Rig, budget: Budget, *, seed: int, out: Path, by: tuple[Load, ...] = loads("registers")
) -> PhaseResult:
    """Judge calls on single resources for linearizability."""
    result = PhaseResult("registers", rig.name, seed)
    for one in rounds(by, (Calm, Lossy), budget, seed, out):
        namespace, known = _played(rig, one, result)
        verdict = linearizability.check(known.operations)
        result.add(judged=verdict.operations, registers=verdict.registers, undecided=len(verdict.undecided))
        result.violated([f"round {one.number}: {text}" for text in verdict.violations])
        rig.forget(namespace)
    return result


def reference_races(
    rig: Rig, budget: Budget, *, seed: int, out: Path, by: tuple[Load, ...] = loads("races")
) -> PhaseResult:
    """Create, re-point and delete around hot targets, and check everything that is left."""
    result = PhaseResult("reference races", rig.name, seed)
    took_ms: list[float] = []
    for one in rounds(by, (Calm, Lossy), budget, seed, out):
        namespace, known = _played(rig, one, result)
        port = rig.backend.port(namespace)
        port.open()
        found = races.audit(port, known)
        port.close()
        result.add(deletes=len(found.deletes_ms), starved=found.starved, records_left=found.records)
        result.most(most_attempts=found.most_attempts)
        checked, flaws = check_store(rig, namespace)
        result.add(records_checked=checked)
        result.violated([f"round {one.number}: {text}" for text in (*found.violations, *flaws)])
        if found.starved and isinstance(one.nemesis, Calm) and one.nemesis.client_faults is None:
            result.violated([f"round {one.number}: {found.starved} deletes gave up, as others won until the deadline"])
        weather = "good_weather" if one.nemesis.client_faults is None else "lossy"
        result.most(**{f"worst_delete_ms_in_{weather}": max(found.deletes_ms, default=0.0)})
        took_ms += found.deletes_ms
        rig.forget(namespace)
    took_ms.sort()
    if took_ms:
        result.most(worst_delete_ms=took_ms[-1], median_delete_ms=took_ms[len(took_ms) // 2])
        result.series["delete_ms"] = [round(value, 2) for value in took_ms[:: len(took_ms) // _SERIES + 1]]
        result.series["delete_ms"].append(round(took_ms[-1], 2))
    return result


def interleavings(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - see Run
    """Run pairs of transactions in every order of their requests."""
    result = PhaseResult("interleavings", rig.name, seed)
    tally = _explored(rig, budget, seed, result)
    result.add(unexplained=tally.unexplained)
    result.violated(tally.examples)
    return result


def guards_taken_out(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - see Run
    """Count the dangling references of the same pairs without guards, to show that the attack works."""
    result = PhaseResult("guards taken out", rig.name, seed)
    halves = Budget(budget.seconds and budget.seconds / 2, budget.operations)
    for defect in ("no guard", "no-op guard"):
        tally = _explored(rig.broken(defect), halves, seed, result)
        result.add(**{f"dangling with {defect}": tally.dangling, f"unexplained with {defect}": tally.unexplained})
        result.notes += [f"{defect}: {example}" for example in tally.examples[:2]]
        if not tally.dangling:
            result.violated([f"{defect}: no schedule left a dangling reference, so these pairs prove nothing"])
    return result


_CLASSIC: Final = {"create a referrer", "delete the target"}
"""The pair that comes first, under each delete rule: without guards, a reference dangles in most of its schedules."""


def _explored(rig: Rig, budget: Budget, seed: int, result: PhaseResult) -> pairs.Tally:
    """Explore pairs in a seeded order until the budget is used; at least one."""
    begun = time.monotonic()
    todo = [(family, pair) for family in pairs.families() for pair in family.pairs()]
    seeded("pairs", seed).shuffle(todo)
    todo.sort(key=lambda one: {script.name for script in one[1]} != _CLASSIC)
    tally = pairs.Tally()
    with pairs.stage_at(rig) as stage:
        for family, pair in todo[: budget.operations]:
            pairs.explore(stage, family, pair, tally)
            if budget.seconds is not None and time.monotonic() - begun > budget.seconds:
                break
    result.add(pairs=tally.pairs, schedules=tally.schedules, requests=tally.requests, dangling=tally.dangling)
    if tally.pairs < len(todo):
        result.notes.append(f"{rig.name}: {tally.pairs} of {len(todo)} pairs were run, in an order drawn by the seed")
    return tally


# mutants

SEEDS: Final = 5
"""Number of runs within which a mutant must be caught."""


def _by_transactions(rig: Rig, seed: int, operations: int, out: Path) -> list[str]:
    return sorted(serializability.check(run_lists(rig, seed, operations, out).operations).counts)


def _by_registers(rig: Rig, seed: int, operations: int, out: Path) -> list[str]:
    return linearizability.check(run_registers(rig, seed, 3 * operations, out).operations).violations


def _by_lifecycles(rig: Rig, seed: int, operations: int, out: Path) -> list[str]:
    return sorted(versions.check(run_deployments(rig, seed, 2 * operations, out).operations).counts)


def _by_interleavings(rig: Rig, seed: int, operations: int, out: Path) -> list[str]:  # noqa: ARG001 - one of three
    family = next(each for each in pairs.families() if each.name == "SET_NULL")
    scripts = {script.name: script for script in family.scripts}
    tally = pairs.Tally()
    with pairs.stage_at(rig) as stage:
        pairs.explore(stage, family, (scripts["create a referrer"], scripts["delete the target"]), tally)
    return tally.examples


Catcher = Callable[[Rig, int, int, Path], list[str]]
CATCHERS: Final[dict[str, tuple[str, Catcher]]] = {
    "no guard": ("interleavings", _by_interleavings),
    "no-op guard": ("interleavings", _by_interleavings),
    "validates by reading": ("transactions", _by_transactions),
    "watches only what it writes": ("transactions", _by_transactions),
    "forgets versions": ("transactions", _by_transactions),
    "checks nothing": ("lifecycles", _by_lifecycles),
    "repeats under a new name": ("transactions", _by_transactions),
    "acknowledges too soon": ("transactions", _by_transactions),
    "commits in halves": ("transactions", _by_transactions),
    "reads from a cache": ("registers", _by_registers),
}
"""The checker that must catch each defect."""


def mutants(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
    """Catch each mutant with its checker, and find nothing wrong with the sound backend."""
    result = PhaseResult("mutants", rig.name, seed)
    operations = budget.operations or 25
    for defect in DEFECTS:
        checker, catch = CATCHERS[defect]
        found, runs = _caught(catch, rig.broken(defect), seed, operations, out / defect.replace(" ", "-"))
        result.add(mutants=1, caught=bool(found))
        result.notes.append(f"{defect}: caught by {checker} in run {runs}: {found[0].splitlines()[0][:120]}" if found
                            else f"{defect}: not caught")  # fmt: skip
        if not found:
            result.violated([f"{defect} was not caught by {checker} in {SEEDS} runs"])
    for name, catch in dict(CATCHERS.values()).items():
        (out / f"sound-{name}").mkdir(parents=True)
        result.violated([f"sound, {name}: {text}" for text in catch(rig, seed, operations, out / f"sound-{name}")])
    return result


def _caught(catch: Catcher, rig: Rig, seed: int, operations: int, out: Path) -> tuple[list[str], int]:
    for number in range(SEEDS):
        folder = out / str(number)
        folder.mkdir(parents=True)
        found = catch(rig, seed + number, operations, folder)
        if found:
            return found, number + 1
    return [], SEEDS


def phases() -> tuple[Phase, ...]:
    """Return the phases that run on any backend."""

    def phase(name: str, what: str, does: Any, share: float) -> Phase:
        return Phase(name, what, EVERYWHERE, does, share)

    return (
        phase("mutants", "Each broken backend is caught by the checker that is named for it.", mutants, 0.5),
        phase("interleavings", "Pairs of transactions, in every order of their requests, end as in a serial order.",
              interleavings, 2.0),
        phase("guards taken out", "The same pairs leave dangling references when the guards are taken out.",
              guards_taken_out, 0.5),
        phase("transactions", "Transactions on lists are strictly serializable, with lost replies too.",
              transactions, 3.0),
        phase("lifecycles", "Transitions, rollbacks, statuses and deletes of what is held are strictly serializable.",
              lifecycles, 2.0),
        phase("registers", "Calls on single resources are linearizable.", registers, 1.5),
        phase("reference races", "Nothing dangles around hot targets, and deletes make progress.", reference_races,
              2.5),
    )  # fmt: skip
