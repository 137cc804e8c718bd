"""The race for references: clients create, re-point and delete around a few hot targets, and an audit follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from emco_store.contracts.harness import scanned
from emco_store.contracts.histories.clients import Ask, Client, ask_and_record
from emco_store.contracts.histories.history import History, Result
from emco_store.contracts.histories.workloads import Shift
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import DeleteRestricted, StoreError
from emco_store.ports import Port, ReferrerQuery, Scan
from proof.models import Follower, Hub, Pin, Rim, Spoke, Watcher
from proof.nemesis import COMMITS

HUBS: Final = 4
_PAGE: Final = 500


def races(shift: Shift) -> Client:
    """Play a role: of four clients, the first deletes, the second re-points, the others create."""
    role = (_delete, _repoint, _create, _create)[shift.number % 4]
    at = 0
    while shift.goes_on(at):
        hub = f"h{shift.random.randrange(HUBS)}"
        yield from role(shift, hub, f"{shift.number}-{at}")
        at += 1


def _create(shift: Shift, hub: str, name: str) -> Client:
    """Create a child, a grandchild or a referrer, and first the target if it does not exist."""
    target = Ref[Any](f"Hub/{hub}")
    made: Resource = shift.random.choice(
        (
            Spoke(name=name, parent=f"Hub/{hub}", code=f"{shift.random.randrange(30)}"),
            Spoke(name=name, parent=f"Hub/{hub}"),
            Follower(name=name, to=target),
            Watcher(name=name, to=target, among=[target]),
            Pin(name=name, to=target),
        )
    )
    yield from _asked(shift, ["create", made.key.text], Ask("create", (made,)))
    if isinstance(made, Spoke) and shift.random.random() < 0.5:
        rim = Rim(name="r", parent=made.key.text)
        yield from _asked(shift, ["create", rim.key.text], Ask("create", (rim,)))
    if shift.random.random() < 0.3:
        yield from _asked(shift, ["put", f"Hub/{hub}"], Ask("put", (Hub(name=hub, note=shift.random.randrange(99)),)))


def _repoint(shift: Shift, hub: str, name: str) -> Client:
    """Create a watcher that refers to one hub after another; if it has lost its hub, give it another."""
    own = Key("Watcher", f"own-{shift.number}")
    found: Watcher | None = None
    try:
        found = yield Ask("get", (own,))
    except StoreError:
        step = ["create", own.text]
        yield from _asked(shift, step, Ask("create", (Watcher(name=own.name, to=Ref(f"Hub/{hub}")),)))
    if found is not None:
        others = [Ref[Any](f"Hub/h{at}") for at in sorted(shift.random.sample(range(HUBS), 2))]
        new = found.model_copy(update={"to": Ref(f"Hub/{hub}"), "among": others})
        yield from _asked(shift, ["repoint", own.text, name], Ask("update", (new,)))


def _delete(shift: Shift, hub: str, name: str) -> Client:
    """Delete a hub, with the pins that block the delete, and create it again."""
    key = Key("Hub", hub)
    going: list[Key] = [key]
    for _ in range(3):
        blockers: list[Key] = []
        yield from _asked(
            shift, ["delete", name, *(each.text for each in going)], Ask("delete", tuple(going)), blockers
        )
        if not blockers:
            break
        going = list(dict.fromkeys([key, *blockers]))
    yield from _asked(shift, ["put", key.text], Ask("put", (Hub(name=hub),)))


def _asked(shift: Shift, step: list[Any], request: Ask, blockers: list[Key] | None = None) -> Client:
    """Make a request, and record the answer and the number of commits; add blockers of a delete to ``blockers``."""
    commits = [0]
    COMMITS.set(commits)

    def refused(problem: StoreError) -> list[Any] | None:
        if isinstance(problem, DeleteRestricted) and blockers is not None:
            blockers.extend(blocker.referrer for blocker in problem.blockers)
        return None

    recorded = shift.recorder.call(shift.name, [step])
    yield from ask_and_record(
        recorded, request, settles=True, answered=partial(_answered, step, commits), refused=refused
    )


def _answered(step: list[Any], commits: list[int], _: object) -> list[Any]:
    return [step, *commits]


# the audit


@dataclass(slots=True)
class Audit:
    """The findings after a race.

    Attributes:
        records: Number of records left.
        references: Number of their references.
        violations: Violated promises.
        counts: Number of operations, by kind and result.
        deletes_ms: The time of each delete of a hub that got an answer, in milliseconds.
        most_attempts: Maximum number of commits that one delete needed.
        starved: Number of deletes that gave up because others won until their deadline.
    """

    records: int = 0
    references: int = 0
    violations: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    deletes_ms: list[float] = field(default_factory=list[float])
    most_attempts: int = 0
    starved: int = 0


def audit(port: Port, known: History) -> Audit:
    """Check everything that a race has left: references, indexes, and acknowledged writes."""
    records = scan_all(port)
    found = Audit(len(records), sum(len(record.edges) for record in records.values()))
    found.violations += dangling(records)
    found.violations += _look_up_problems(port, records)
    found.violations += _unique_problems(records.values())
    found.violations += _lost_and_risen(known, records)
    for operation in known.operations:
        kind = operation.steps[0][0]
        found.counts[f"{kind}: {operation.problem.partition(':')[0] or 'done'}"] += 1
        if kind == "delete" and operation.returned_ns is not None:
            found.deletes_ms.append(operation.took_ms)
            found.starved += operation.problem == "Conflict"
            found.most_attempts = max(found.most_attempts, *operation.steps[1:], 0)
    return found


def scan_all(port: Port) -> dict[str, Record]:
    """Read every record of a namespace."""
    return {record.key.text: record for record in scanned(port, Scan(None, limit=_PAGE))}


def dangling(records: Mapping[str, Record]) -> list[str]:
    """Return the dangling references."""
    return [
        f"{text} {edge.place} -> {edge.target} dangles"
        for text, record in records.items()
        for edge in record.edges
        if edge.target.text not in records
    ]


def _look_up_problems(port: Port, records: Mapping[str, Record]) -> list[str]:
    """Compare the referrers found with the records, for every hub and every child."""
    wanted: dict[Key, set[str]] = {
        record.key: set() for record in records.values() if record.key.kind in {"Hub", "Spoke"}
    }
    for text, record in records.items():
        for target in record.targets & wanted.keys():
            wanted[target].add(text)
    problems: list[str] = []
    for target, texts in wanted.items():
        found = {record.key.text for record in port.ask(ReferrerQuery((target,), limit=len(records) + 1)).referrers}
        problems += [f"{text} refers to {target}, and the look-up does not say so" for text in sorted(texts - found)]
        problems += [f"{text} does not refer to {target}, as the look-up says" for text in sorted(found - texts)]
    return problems


def _unique_problems(records: Iterable[Record]) -> list[str]:
    owners: dict[tuple[str, str, str], str] = {}
    problems: list[str] = []
    for record in records:
        for name, value in record.unique:
            first = owners.setdefault((record.key.kind, name, value), record.key.text)
            if first != record.key.text:
                problems.append(f"{first} and {record.key} have the same {name}, which is unique")
    return problems


def _lost_and_risen(known: History, records: Mapping[str, Record]) -> list[str]:
    """Find acknowledged pins that are missing though not deleted, and resources that nobody created."""
    made: dict[str, Result] = {}
    deleted: set[str] = set()
    for operation in known.operations:
        kind, *names = operation.steps[0]
        if kind in {"create", "put"} and operation.result is not Result.FAILED:
            made[names[0]] = Result.OK if made.get(names[0]) is Result.OK else operation.result
        elif kind == "delete" and operation.result is not Result.FAILED:
            deleted.update(names[1:])
    gone = [text for text, result in made.items() if result is Result.OK and text.startswith("Pin/")
            and text not in records and text not in deleted]  # fmt: skip
    problems = [f"{text} was acknowledged and never deleted, and is gone" for text in sorted(gone)]
    return problems + [f"{text} is there, and nobody made it" for text in sorted(records.keys() - made.keys())]
