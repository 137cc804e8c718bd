"""The registry: which service declares which kinds, and what it relies on of others; one record of the namespace.

A *segment* is what one service declares. The *active* ones fit together: each kind has one owner, and whatever is
relied on is there. Beside them stand those that *wait*, which nobody else has to mind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ValidationError

from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import reasons_of
from emco_store.core.meanings import Meaning, differences, incompatible, unmet
from emco_store.core.naming import REGISTRY
from emco_store.core.reserved import beside
from emco_store.errors import InvalidResource, SegmentRefused

REGISTRY_KEY: Final = beside(REGISTRY, Key("emco_Registry", "active"))
"""The key of the registry of a namespace."""


class Declaration(BaseModel, frozen=True, extra="allow"):
    """One version of a segment. Unknown fields are kept: a newer program may have written it.

    Attributes:
        version: Its version, 1 or more.
        kinds: By kind, what it says of those that it owns.
        needs: By kind, what it relies on of others.
    """

    version: int
    kinds: dict[str, Meaning] = {}
    needs: dict[str, Meaning] = {}

    def is_same(self, other: Declaration | None) -> bool:
        """Return whether two declarations mean the same, whatever their versions.

        Rules: SEG-4.
        """
        return other is not None and (self.kinds, self.needs) == (other.kinds, other.needs)


class Registry(BaseModel, frozen=True, extra="allow"):
    """The document of the registry.

    Attributes:
        active: By name, the segments that count.
        waiting: By name, in the order in which they came, those that rely on what is not there. A segment may be in
            both: then an earlier version of it counts.
    """

    active: dict[str, Declaration] = {}
    waiting: dict[str, Declaration] = {}

    def kinds(self) -> dict[str, tuple[str, Meaning]]:
        """Return the kinds of the active segments, each with the name of its segment and what that says."""
        return {kind: (name, said) for name, one in self.active.items() for kind, said in one.kinds.items()}


EMPTY: Final = Registry()
"""The registry of a namespace in which nobody has registered."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a registration or a removal makes of a registry.

    Attributes:
        registry: The new one; the same object where nothing changes.
        dropped: The kinds that nobody declares any more, whose resources must be gone.
    """

    registry: Registry
    dropped: tuple[str, ...] = field(default=())


def read_registry(document: bytes) -> Registry:
    """Read the document of the registry.

    Raises:
        InvalidResource: It cannot be read. Nothing is registered then, and what waits keeps waiting.
    """
    try:
        return Registry.model_validate_json(document)
    except ValidationError as problem:
        reasons = reasons_of(problem)
        raise InvalidResource(
            "Cannot read the registry of segments.",
            why=reasons,
            hint="bring back a backup of it, or delete the record by hand and let each service register again.",
            key=REGISTRY_KEY,
            problems=tuple(reasons),
            stored=True,
        ) from problem


def write_registry(registry: Registry) -> bytes:
    """Write the document of the registry; the order of segments that wait is kept."""
    return registry.model_dump_json().encode()


def register(registry: Registry, name: str, given: Declaration) -> Change:
    """Return the registry with a segment, which becomes active if all that it relies on is there.

    Args:
        registry: The registry.
        name: The name of the segment.
        given: What it declares.

    Raises:
        SegmentRefused: Another segment owns one of its kinds, it contradicts active ones, or it is not what programs of
            its earlier version can live with.

    Rules: SEG-1 to SEG-5.
    """
    active, waiting = registry.active.get(name), registry.waiting.get(name)
    for known in (active, waiting):
        if known is not None and known.version == given.version and given.is_same(known):
            return Change(registry)
    newest = waiting or active
    if newest is not None and given.version < newest.version:
        reasons = [] if active is None else _evolution(given, active)
        if reasons and active is not None:
            raise refused(name, [f"version {active.version} is registered, this is {given.version}", *reasons])
        return Change(registry)
    reasons = [*_claims(registry, name, given), *_contradictions(registry, name, given)]
    if active is not None:
        reasons += _evolution(active, given)
    dropped = () if active is None else tuple(sorted(active.kinds.keys() - given.kinds.keys()))
    after = _settled(_with(registry, name, given))
    if dropped:
        reasons += _relied_on(registry, name, dropped)
        if name in after.waiting:
            reasons += [f"{kind}: it can be left out once the segment need not wait" for kind in dropped]
    if reasons:
        raise refused(name, reasons, owner=_owner(registry, name, given))
    return Change(after, dropped)


def remove(registry: Registry, name: str) -> Change:
    """Return the registry without a segment.

    Raises:
        SegmentRefused: Active segments rely on its kinds.

    Rules: SEG-7.
    """
    active = registry.active.get(name)
    if active is None and name not in registry.waiting:
        return Change(registry)
    kinds = () if active is None else tuple(sorted(active.kinds))
    reasons = _relied_on(registry, name, kinds)
    if reasons:
        raise refused(name, reasons, what="remove")
    left = registry.model_copy(
        update={
            "active": {other: one for other, one in registry.active.items() if other != name},
            "waiting": {other: one for other, one in registry.waiting.items() if other != name},
        }
    )
    return Change(_settled(left), kinds)


def awaited(registry: Registry, name: str) -> list[str]:
    """Return what a segment that waits waits for; nothing if it is active, or unknown.

    Rules: SEG-2.
    """
    given = registry.waiting.get(name)
    if given is None:
        return []
    found = [*_claims(registry, name, given), *_contradictions(registry, name, given), *_absences(registry, given)]
    return found or [f"{name}: another segment that waits declares the same kind, and came first"]


def refused(name: str, reasons: list[str], *, owner: str = "", what: str = "register") -> SegmentRefused:
    """Build the error for a segment that cannot be registered, or removed."""
    return SegmentRefused(
        f"Cannot {what} the segment {name}.",
        why=reasons,
        hint="delete what is left of its kinds, and let the services that rely on them go first."
        if what == "remove"
        else "agree with the owner on one declaration, and read what another segment owns by a View; a change needs a "
        "higher version, and a class with a higher model_version where documents change.",
        segment=name,
        owner=owner,
        reasons=tuple(reasons),
    )


def _with(registry: Registry, name: str, given: Declaration) -> Registry:
    """Return the registry with a segment that waits; where it waited before, it keeps its place."""
    return registry.model_copy(update={"waiting": {**registry.waiting, name: given}})


def _claims(registry: Registry, name: str, given: Declaration) -> Iterator[str]:
    """Yield the kinds that another active segment owns, each with what differs.

    Rules: SEG-3.
    """
    for kind, (owner, said) in registry.kinds().items():
        if owner != name and kind in given.kinds:
            found = differences(kind, said, given.kinds[kind]) or [f"{kind}: both declare the same"]
            yield from (f"{one}; the segment {owner} owns it" for one in found)


def _owner(registry: Registry, name: str, given: Declaration) -> str:
    owners = (owner for kind, (owner, _) in registry.kinds().items() if owner != name and kind in given.kinds)
    return next(owners, "")


def _contradictions(registry: Registry, name: str, given: Declaration) -> Iterator[str]:
    """Yield where a segment relies on something else than what is declared, and what it would take from others."""
    kinds = {kind: said for kind, (owner, said) in registry.kinds().items() if owner != name} | given.kinds
    for kind, need in given.needs.items():
        if kind in kinds:
            yield from unmet(kind, need, kinds[kind])
    yield from _unlike_what_is_relied_on(registry, name, given)


def _unlike_what_is_relied_on(registry: Registry, name: str, given: Declaration) -> Iterator[str]:
    for other, one in registry.active.items():
        for kind, need in one.needs.items() if other != name else ():
            if kind in given.kinds:
                yield from (
                    f"{reason}; the segment {other} relies on it" for reason in unmet(kind, need, given.kinds[kind])
                )


def _absences(registry: Registry, given: Declaration) -> Iterator[str]:
    kinds = registry.kinds()
    for kind, need in given.needs.items():
        if kind not in kinds and kind not in given.kinds:
            other = next((name for name, one in registry.waiting.items() if kind in one.kinds), None)
            yield from unmet(kind, need, None) if other is None else [f"{kind}: the segment {other} waits itself"]


def _evolution(old: Declaration, new: Declaration) -> list[str]:
    """Return what programs with an earlier version of a segment cannot live with.

    Rules: SEG-5.
    """
    both = [(kind, said, new.kinds[kind]) for kind, said in old.kinds.items() if kind in new.kinds]
    if old.version == new.version:
        found = (reason for one in both for reason in differences(*one))
        return [f"it has changed, and is still version {new.version}", *found]
    return [reason for one in both for reason in incompatible(*one)]


def _relied_on(registry: Registry, name: str, kinds: tuple[str, ...]) -> list[str]:
    return [
        f"{kind}: the segment {other} relies on it"
        for other, one in registry.active.items()
        for kind in kinds
        if other != name and kind in one.needs
    ]


def _settled(registry: Registry) -> Registry:
    """Move those that wait to the active ones, as far as all that they rely on is there then.

    Several that rely on each other become active together. Of two that would own one kind, the one that came first
    does.

    Rules: SEG-1, SEG-2, SEG-3.
    """
    coming = dict(registry.waiting)
    while gone := _misfits(registry, coming) or _rivals(coming)[-1:]:
        for name in gone:
            del coming[name]
    if not coming:
        return registry
    waiting = {name: one for name, one in registry.waiting.items() if name not in coming}
    return registry.model_copy(update={"active": {**registry.active, **coming}, "waiting": waiting})


def _misfits(registry: Registry, coming: Mapping[str, Declaration]) -> list[str]:
    """Return those that could not be active, even if all the others that are coming were."""
    offered: dict[str, list[Meaning]] = {}
    for one in (*coming.values(), *(one for name, one in registry.active.items() if name not in coming)):
        for kind, said in one.kinds.items():
            offered.setdefault(kind, []).append(said)
    return [
        name
        for name, given in coming.items()
        if any(_claims(registry, name, given))
        or any(_unlike_what_is_relied_on(registry, name, given))
        or not all(
            any(not unmet(kind, need, said) for said in offered.get(kind, ())) for kind, need in given.needs.items()
        )
    ]


def _rivals(coming: Mapping[str, Declaration]) -> list[str]:
    """Return those that declare a kind which one that came before declares too."""
    found: list[str] = []
    seen: set[str] = set()
    for name, given in coming.items():
        if not seen.isdisjoint(given.kinds):
            found.append(name)
        seen |= given.kinds.keys()
    return found
