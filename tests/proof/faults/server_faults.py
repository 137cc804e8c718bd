"""The phase that strikes at servers: rounds, each of one fault and one workload, on servers of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from emco_store.connect import connect
from emco_store.contracts.histories import history, serializability
from emco_store.contracts.histories.history import History, Result
from emco_store.contracts.histories.workloads import Shift
from emco_store.ports import Outcome
from proof import races, versions
from proof.feeds import Audience
from proof.nemesis import seeded
from proof.phase import Budget, Phase, PhaseResult
from proof.replays import Sent
from proof.rig import Rig
from proof.running import MODELS, check_store, look_finally, read_finally
from tests.proof.faults import mongo_grounds, redis_grounds
from tests.proof.faults.careful import WORKLOADS, Loose, count_values, play_all
from tests.proof.faults.grounds import Ground
from tests.proof.faults.striking import Series, Striking, Watch

GROUNDS: Final[Mapping[str, tuple[Callable[[], AbstractContextManager[Ground]], ...]]] = {
    "redis": redis_grounds.GROUNDS,
    "mongo": mongo_grounds.GROUNDS,
}
_LONGEST_S: Final = 15.0
_SHORTEST_S: Final = 2.0
_BETWEEN: Final = 60
"""Acknowledged operations between two strikes, in the long form."""
_COUNTED: Final = (
    "rounds",
    "strikes",
    "operations",
    "unknown",
    "acknowledged",
    "lost",
    "anomalies",
    "lifecycle changes",
    "events told",
    "gaps",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many clients a round has: threads on one store, and tasks on another; and how many readers of the feed."""

    threads: int = 4
    tasks: int = 4
    readers: int = 2


@dataclass(slots=True)
class Found:
    """What one round has found.

    Attributes:
        counts: See ``_COUNTED``.
        worst_ms: The longest time from a question to its answer.
        violations: What must not be.
    """

    counts: dict[str, int]
    worst_ms: float = 0.0
    violations: list[str] = field(default_factory=list[str])


def strike_round(
    ground: Ground, name: str, workload: str, *, series: Series, seed: int, out: Path, size: Size | None = None
) -> Found:
    """Let clients work while a fault strikes, and judge all that they were told by what is left.

    Args:
        ground: The servers.
        name: The fault.
        workload: One of :data:`WORKLOADS`.
        series: How often to strike.
        seed: What clients do, and what is drawn by the fault.
        out: A folder for the history.
        size: How many clients.
    """
    worked = let_work(ground, name, workload, series=series, seed=seed, out=out, size=size or Size())
    rig, namespace, known, loose = ground.faults[name].rig, worked.namespace, worked.known, worked.loose
    if workload == "lists":
        found = _judge_lists(rig, namespace, known, loose, out)
    elif workload == "races":
        found = _judge_races(rig, namespace, known)
    else:
        found = _judge_deployments(rig, namespace, known, out)
    told = worked.audience.told(gaps=ground.gaps)
    found.violations += told.violations
    found.counts |= {
        "rounds": 1,
        "strikes": worked.strikes,
        "events told": told.events,
        "gaps": told.gaps,
        "operations": len(known.operations),
        "unknown": sum(operation.problem == "UnknownOutcome" for operation in known.operations),
    }
    found.worst_ms = max((operation.took_ms for operation in known.operations), default=0.0)
    found.violations += sorted({one.problem for one in known.operations if one.problem.startswith("unexpected")})
    found.violations += [f"check: {flaw}" for flaw in check_store(rig, namespace)[1]]
    found.violations += _class_violations(ground, rig, namespace)
    return found


@dataclass(frozen=True, slots=True)
class Worked:
    """What has happened in a round.

    Attributes:
        namespace: Where.
        known: What the clients were told.
        loose: What they have left open.
        audience: The readers of the feed.
        strikes: How often the fault has struck.
    """

    namespace: str
    known: History
    loose: list[Loose]
    audience: Audience
    strikes: int


def let_work(
    ground: Ground, name: str, workload: str, *, series: Series, seed: int, out: Path, size: Size
) -> Worked:  # fmt: skip
    """Let clients work and readers read while a fault strikes; arguments as for :func:`strike_round`."""
    tasks = size.tasks if ground.tasks else 0
    fault = ground.faults[name]
    rig, namespace = fault.rig, fault.rig.namespace()
    loose: list[Loose] = []
    sent, make = Sent(), fault.clients or rig.fresh
    audience = Audience(rig.fresh, namespace, size.readers, seed=seed, sent=sent, tasks=ground.tasks)
    with audience, Watch(out / "part-0.jsonl") as watch:

        def strike(random: Random, watch: Watch) -> None:
            with audience.standing_still() if fault.is_missed else nullcontext():
                fault.strike(random, watch)

        striking = Striking(strike, watch, series, seeded("strikes", seed))
        shifts = [
            Shift(f"{number}", number, seeded(seed, number), watch, lambda _: not striking.is_over)
            for number in range(1, size.threads + tasks + 1)
        ]
        clients = [WORKLOADS[workload](shift, loose, only_reads=ground.only_reads) for shift in shifts]
        threads, rest = clients[: size.threads], clients[size.threads :]
        work = partial(play_all, lambda: sent.around(make()), namespace, threads, rest)
        striking.during(work, clients=len(clients))
    return Worked(namespace, history.read(out / "part-0.jsonl"), loose, audience, striking.done)


def _judge_lists(rig: Rig, namespace: str, known: History, loose: list[Loose], out: Path) -> Found:
    finally_ = read_finally(rig, namespace, known, out)
    unread = [one for one in finally_.operations if one.process == "final" and one.result is not Result.OK]
    counted = count_values(finally_)
    verdict = serializability.check(finally_.operations)
    violations = [f"{value} was acknowledged, and is gone" for value in counted.lost]
    violations += [f"{value} is there, and its transaction did not happen" for value in counted.risen]
    violations += [f"{one.kind}: {one.text}" for one in verdict.anomalies]
    violations += [f"a last read failed: {one}" for one in unread]
    wrong = _settled_wrongly(rig, namespace, finally_, loose)
    counts = {"acknowledged": counted.acknowledged, "lost": len(counted.lost), "anomalies": verdict.counts.total()}
    return Found(counts, violations=violations + wrong)


def _settled_wrongly(rig: Rig, namespace: str, known: History, loose: list[Loose]) -> list[str]:
    """Settle what nobody has settled, now that all is read: what is there must have happened, and nothing else."""
    there = {value for operation in known.operations if operation.process == "final"
             for kind, _, found in operation.steps if kind == "read" for value in found}  # fmt: skip
    wrong: list[str] = []
    with connect(rig.fresh(), namespace=namespace, models=MODELS) as store:
        for one in loose:
            happened = store.resolve(one.txid) is Outcome.COMMITTED
            wrong += [f"{value} of {one.txid} is {'not ' * happened}there, and resolve says that it was "
                      f"{'' if happened else 'not '}committed" for value in one.values
                      if happened != (value in there)]  # fmt: skip
    return wrong


def _judge_races(rig: Rig, namespace: str, known: History) -> Found:
    port = rig.fresh().port(namespace)
    port.open()
    try:
        found = races.audit(port, known)
    finally:
        port.close()
    lost = [text for text in found.violations if "was acknowledged" in text]
    acknowledged = len(known.of(Result.OK))
    unsettled = [f"not settled: {one}" for one in known.of(Result.UNKNOWN) if not one.problem.startswith("unexpected")]
    counts = {"acknowledged": acknowledged, "lost": len(lost), "anomalies": len(found.violations) - len(lost)}
    return Found(counts, violations=found.violations + unsettled)


def _judge_deployments(rig: Rig, namespace: str, known: History, out: Path) -> Found:
    seen = look_finally(rig, namespace, known, out)
    port = rig.fresh().port(namespace)
    port.open()
    try:
        lost = versions.lost(known.operations, races.scan_all(port).values())
    finally:
        port.close()
    verdict = versions.check(seen.operations)
    violations = [*lost, *(f"{one.kind}: {one.text}" for one in verdict.anomalies)]
    unread = [one for one in seen.operations if one.process == "final" and one.result is not Result.OK]
    violations += [f"a last look failed: {one}" for one in unread]
    made = versions.counted(known.operations)
    counts = {"acknowledged": len(known.of(Result.OK)), "lost": len(lost), "anomalies": verdict.counts.total()}
    return Found(counts | {"lifecycle changes": made["lifecycle_changes"]}, violations=violations)


def _class_violations(ground: Ground, rig: Rig, namespace: str) -> list[str]:
    with connect(rig.fresh(), namespace=namespace) as store:
        reported = store.guarantees.durability
    return [] if reported is ground.durability else [f"the store reports {reported}, not {ground.durability}"]


# the phase


def server_faults(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
    """Strike at servers of the same kind as the rig, one round after the other."""
    result = PhaseResult("server faults", rig.name, seed)
    sums: dict[str, Found] = {}
    begun = time.monotonic()
    makers = GROUNDS[rig.name]
    for at, make in enumerate(makers):
        left_s = None if budget.seconds is None else budget.seconds - (time.monotonic() - begun)
        end_s = None if left_s is None else time.monotonic() + left_s / (len(makers) - at)
        with make() as ground:
            missed = set(ground.faults)
            for number, (name, workload) in enumerate(_combined(ground, seed, end_s)):
                round_seed = seed * 10_000 + at * 1000 + number
                folder = out / f"{at}-{number}-{name}-{workload}".replace(" ", "-").replace("/", "-")
                folder.mkdir(parents=True)
                series = Series(strikes=budget.operations or 1)
                if end_s is not None:
                    series = Series(None, time.monotonic() + _round_s(end_s, 2 * len(ground.faults)), _BETWEEN)
                found = strike_round(ground, name, workload, series=series, seed=round_seed, out=folder)
                missed.discard(name)
                label = f"{name} ({ground.durability}, {make.__module__.rpartition('.')[2]}.{make.__name__})"
                _add(result, sums, label, found, f"{name}, {workload}, seed {round_seed}")
        result.notes += [f"not reached in this time: {name}" for name in sorted(missed)]
    result.notes += [_note(label, found) for label, found in sums.items()]
    return result


def _combined(ground: Ground, seed: int, end_s: float | None) -> Iterator[tuple[str, str]]:
    """Return each fault with each workload, in an order drawn by the seed; again and again while there is time."""
    todo = [
        (name, workload)
        for name in ground.faults
        for workload in WORKLOADS
        if ground.only_reads or workload != "deployments"  # whose clients look around in transactions that only read
    ]
    seeded("faults", seed).shuffle(todo)
    yield todo[0]
    if end_s is None:
        yield from todo[1:]
        return
    at = 1
    while end_s - time.monotonic() > _SHORTEST_S:
        yield todo[at % len(todo)]
        at += 1


def _round_s(end_s: float, rounds: int) -> float:
    return min(_LONGEST_S, max(_SHORTEST_S, (end_s - time.monotonic()) / rounds))


def _add(result: PhaseResult, sums: dict[str, Found], label: str, found: Found, where: str) -> None:
    one = sums.setdefault(label, Found(dict.fromkeys(_COUNTED, 0)))
    for name, number in found.counts.items():
        one.counts[name] += number
    one.worst_ms = max(one.worst_ms, found.worst_ms)
    result.add(**found.counts)
    result.most(worst_ms=found.worst_ms)
    result.struck({label.partition(" (")[0]: found.counts["strikes"]})
    result.violated([f"{where}: {text}" for text in found.violations])


def _note(label: str, found: Found) -> str:
    told = ", ".join(f"{number:,} {name}" for name, number in found.counts.items())
    return f"{label}: {told}, worst {found.worst_ms:,.0f} ms"


PHASE: Final = Phase(
    "server faults",
    "Nothing that was acknowledged is lost, and nothing else goes wrong, while servers are killed, stand still, "
    "are replaced, refuse, and cannot be reached.",
    ("redis", "mongo"),
    server_faults,
    3.0,
)
