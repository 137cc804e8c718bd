"""Make lists of versions: records as the checker of transactions knows them.

The versions of a record are 1, 2, 3 …, so what has seen version 3 has seen the list of its first three versions, and
what has made version 4 has seen three and appended one. Whoever deletes a record appends its end. Thus the state of a
lifecycle, a revision and a status are lists that transactions read and append to, as all resources are, and
:mod:`emco_store.contracts.histories.serializability` finds the same anomalies in them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emco_store.contracts.histories import serializability
from emco_store.contracts.histories.history import Operation, Result
from emco_store.contracts.histories.serializability import Verdict
from emco_store.core.naming import LIFECYCLE, REVISION, is_status
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved, read_numbered, resource_of

Version = tuple[str, int]
"""An object, and the number of its version."""


@dataclass(frozen=True, slots=True)
class _Maker:
    """An operation that would make a version."""

    at: int
    result: Result
    content: int | None


@dataclass(slots=True)
class _Chains:
    """Who has made which version.

    Attributes:
        makers: Who would make each version.
        seen: With which contents it was seen.
        ends: The operations that delete each object.
        ids: The values of the lists.
        values: The values by version and maker; None stands for somebody who is not known.
    """

    makers: dict[Version, list[_Maker]] = field(default_factory=lambda: defaultdict[Version, list[_Maker]](list))
    seen: dict[Version, set[int]] = field(default_factory=lambda: defaultdict[Version, set[int]](set))
    ends: dict[str, list[int]] = field(default_factory=lambda: defaultdict[str, list[int]](list))
    values: dict[tuple[str, int, int | None], int] = field(default_factory=dict[tuple[str, int, int | None], int])

    def value(self, name: str, version: int, maker: int | None) -> int:
        """Return the value that stands for a version of a maker."""
        return self.values.setdefault((name, version, maker), len(self.values) + 1)

    def maker(self, name: str, version: int, content: int | None = None) -> int | None:
        """Return who made a version: who said so, or else who may have and fits what was seen of it.

        Args:
            name: The object.
            version: The version.
            content: What a reader has seen of it; None for what anybody has.
        """
        candidates = self.makers.get((name, version), [])
        seen = self.seen.get((name, version), set()) if content is None else {content}
        fitting = [one for one in candidates if not seen or one.content is None or one.content in seen]
        for result in (Result.OK, Result.UNKNOWN, Result.FAILED) if seen else (Result.OK, Result.UNKNOWN):
            found = [one for one in fitting if one.result is result]
            if found:
                return found[0].at
        return None

    def list_at(self, name: str, version: int, content: int | None = None) -> list[int]:
        """Return the list that a reader of a version has seen."""
        before = [self.value(name, number, self.maker(name, number)) for number in range(1, version)]
        return [*before, self.value(name, version, self.maker(name, version, content))] if version else []


def check(operations: Sequence[Operation]) -> Verdict:
    """Judge transitions, rollbacks, statuses and all that is done beside them.

    Beyond the anomalies of transactions, there are the ``broken hold``, a deployment that needs its ground to be on and
    a ground that is not, seen by one transaction; and the ``pruned`` revision that a prune has to keep.

    Args:
        operations: Their steps are those of :mod:`proof.deployments`.
    """
    verdict = serializability.check(as_lists(operations))
    for text in _broken_holds(operations):
        verdict.add("broken hold", text)
    for operation in operations:
        for kind, name, *rest in operation.steps:
            if kind == "kept" and not set(rest[0]) <= set(rest[1]):
                verdict.add("pruned", f"{name}: {rest[0]} have to be kept, {rest[1]} are there")
    return verdict


def counted(operations: Iterable[Operation]) -> Counter[str]:
    """Count what was made, by kind: transitions and other changes of lifecycles, revisions, statuses, deletes."""
    names = {LIFECYCLE: "lifecycle_changes", REVISION: "revisions"}
    made: Counter[str] = Counter()
    for operation in operations:
        for kind, name, *_ in operation.steps if operation.result is Result.OK else ():
            what = name.partition("/")[0]
            if kind == "made" and is_reserved(what):
                made[names.get(what, "statuses")] += 1
            elif kind == "gone" and what == "Works":
                made["deletes"] += 1
    return made


def lost(operations: Iterable[Operation], records: Iterable[Record]) -> list[str]:
    """Return what was acknowledged, and is neither there at the end nor deleted by anybody; statuses are not counted.

    Args:
        operations: Their steps are those of :mod:`proof.deployments`.
        records: All records that are there at the end.
    """
    there: dict[str, int] = {}
    found = {record.key.text: record for record in records}
    for record in found.values():
        if record.key.kind == REVISION:
            resource, uid, number = read_numbered(record.key)
            name = f"{REVISION}/{resource.text}@{uid}"
            there[name] = max(number, there.get(name, 0))
        elif record.key.kind == LIFECYCLE:
            owner = found.get(resource_of(record.key).text)
            there[f"{record.key.text}@{owner and owner.uid}"] = record.version
        else:
            there[f"{record.key.text}@{record.uid}"] = record.version
    gone: set[str] = set()
    made: dict[str, int] = {}
    for operation in operations:
        for kind, name, version, *_ in operation.steps if operation.result is not Result.FAILED else ():
            if kind == "gone":
                gone |= {name, f"{LIFECYCLE}/{name}"}
            elif kind == "made" and operation.result is Result.OK and not is_status(name):
                made[name] = max(version, made.get(name, 0))
    return [
        f"version {version} of {name} was acknowledged, and {there.get(name, 'nothing')} is there"
        for name, version in sorted(made.items())
        if there.get(name, 0) < version and name not in gone
    ]


def as_lists(operations: Sequence[Operation]) -> list[Operation]:
    """Return the operations with steps for the checker of transactions.

    An operation that has recorded a revision has also seen what that revision holds, and the absence of the parts that
    it does not hold. A part of which nobody can say which version the revision holds is left out.

    Args:
        operations: Their steps are those of :mod:`proof.deployments`.
    """
    chains = _Chains()
    for at, operation in enumerate(operations):
        for kind, name, version, content, *_ in operation.steps:
            if kind == "made":
                chains.makers[name, version].append(_Maker(at, operation.result, content))
            elif kind == "gone":
                chains.ends[name].append(at)
            elif kind == "saw" and content is not None and operation.result is Result.OK:
                chains.seen[name, version].add(content)
    beside = _seen_in_revisions(operations, chains)
    return [
        replace(operation, steps=tuple(_listed(at, operation, chains, beside.get(at, ()))))
        for at, operation in enumerate(operations)
        if any(step[0] in {"saw", "made", "gone"} for step in operation.steps)
    ]


def _listed(
    at: int, operation: Operation, chains: _Chains, beside: Iterable[Version]
) -> Iterator[tuple[str, str, Any]]:
    """Yield the steps: what was seen before what was made of it."""
    made = {name: version for kind, name, version, *_ in operation.steps if kind == "made"}
    gone = {name for kind, name, *_ in operation.steps if kind == "gone"}
    saw = {(name, version, content) for kind, name, version, content, *_ in operation.steps if kind == "saw"}
    for name, version, content in sorted(saw, key=str):
        if name not in made or version < made[name]:
            yield "read", name, chains.list_at(name, version, content)
    for name, version in beside:
        if name not in made:
            yield "read", name, chains.list_at(name, version)
    for name, version in made.items():
        yield "read", name, chains.list_at(name, version - 1)
        yield "append", name, chains.value(name, version, at)
    for name in sorted(gone - made.keys()):
        yield "append", name, chains.value(name, 0, at)


def _seen_in_revisions(operations: Sequence[Operation], chains: _Chains) -> Mapping[int, list[Version]]:
    """Return what each operation has seen that has recorded a revision."""
    known: dict[str, dict[int | None, list[Version]]] = defaultdict(lambda: defaultdict(list))
    objects: dict[str, set[str]] = defaultdict(set)
    for (name, version), makers in chains.makers.items():
        key = name.partition("@")[0]
        objects[key].add(name)
        for maker in makers:
            if maker.result is not Result.FAILED:
                known[key][maker.content].append((name, version))
    found: dict[int, list[Version]] = {}
    for operation in operations:
        for kind, name, *rest in operation.steps:
            if kind == "held":
                number, note, content = rest
                writer = chains.maker(name, number, note)
                if writer is not None:
                    found[writer] = list(_held(name, content, known, objects, chains))
    return found


def _held(
    revisions: str, content: Mapping[str, int], known: Mapping[str, Any], objects: Mapping[str, set[str]],
    chains: _Chains,
) -> Iterator[Version]:  # fmt: skip
    for key, value in content.items():
        versions = set(known[key][value]) if key in known else set()
        if len(versions) == 1:
            yield versions.pop()
    root = revisions.partition("/")[2].partition("@")[0]
    below = f"Piece/{root.partition('/')[2]}/"
    for key, names in objects.items():
        if key.startswith(below) and key not in content:
            yield from ((name, 0) for name in names if name not in chains.ends)


def _broken_holds(operations: Iterable[Operation]) -> Iterator[str]:
    """Yield the operations that have seen a deployment hold a ground that was not on."""
    for operation in operations:
        for kind, name, state, ground, *_ in operation.steps if operation.result is Result.OK else ():
            if kind == "rests" and ground != "On":
                yield f"{name} is {state}, and the ground that it holds is {ground}\n  seen by {operation}"
