"""Lifecycles a second time, on plain values and as simple as possible, for the walk to compare with.

This shares declarations with the core, and the form in which documents and references are written. It shares no code
that judges a transition, a write or a delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from emco_store.core import guards
from emco_store.core.codec import draft
from emco_store.core.documents import LARGEST_MAX_BYTES
from emco_store.core.records import Edge
from emco_store.core.rules import CASCADE, PROTECT, RESTRICT

Content = frozenset[tuple[str, bytes]]
"""The documents of a subtree and of the targets that belong to it, by the texts of their keys."""
Reason = tuple[str, ...]
"""Texts that all stand in one reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a thing holds.

    Attributes:
        place: The field.
        target: The text of the key of what is held.
        needs: The values of the states in which it must stay.
    """

    place: str
    target: str
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A revision.

    Attributes:
        uid: The uid of its resource.
        number: Its number.
        members: The documents of the subtree by the texts of their keys.
        content: The same with the targets that belong to it.
        is_approved: Whether this content was approved with it.
    """

    uid: str
    number: int
    members: Mapping[str, bytes]
    content: Content
    is_approved: bool


@dataclass(slots=True)
class Thing:
    """A resource as it should be.

    Attributes:
        value: The resource, as the store has returned it.
        document: Its document.
        edges: Its references.
        state: Its state; None without a lifecycle.
        holds: What it holds in this state.
        operation: The id of the operation that is under way.
        under_way: The number of the revision that this operation works on.
        applied: The number of the revision that was worked on last.
        approved: What was approved last, and the number of its revision.
        last: The number of the newest revision.
        revisions: Those that are kept, the newest first.
        tags: The numbers of revisions that have a name.
    """

    value: Any
    document: bytes
    edges: tuple[Edge, ...]
    state: Any = None
    holds: tuple[Held, ...] = ()
    operation: str | None = None
    under_way: int | None = None
    applied: int | None = None
    approved: tuple[Content, int] | None = None
    last: int = 0
    revisions: tuple[Recorded, ...] = ()
    tags: Mapping[str, int] | None = None

    @classmethod
    def of(cls, value: Any) -> Thing:
        """Return a new resource, in its initial state."""
        lifecycle = type(value).__emco__.lifecycle
        return cls(value, *written(value), state=None if lifecycle is None else lifecycle.initial)

    @property
    def lifecycle(self) -> Any:
        """The class of its lifecycle; None without one."""
        return type(self.value).__emco__.lifecycle

    @property
    def is_deletable(self) -> bool:
        """Whether its state lets it be deleted."""
        return self.lifecycle is None or self.state in self.lifecycle.deletable

    @property
    def steps(self) -> dict[str, Any]:
        """All transitions that its lifecycle declares."""
        return {} if self.lifecycle is None else dict(self.lifecycle.spec.transitions)

    def frozen_in(self, other: Any) -> set[str]:
        """Return the frozen fields in which another value of the same resource differs."""
        paths = () if self.lifecycle is None else self.lifecycle.spec.frozen.get(self.state, ())
        before, after = self.value.model_dump(), other.model_dump()
        return {path for path in paths if [*_at(before, path.split("."))] != [*_at(after, path.split("."))]}


def written(value: Any) -> tuple[bytes, tuple[Edge, ...]]:
    """Return the document and the references of a resource."""
    made = draft(value, max_bytes=LARGEST_MAX_BYTES)
    return made.document, made.edges


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _at(entry, path)
    else:
        yield from _at(value.get(path[0]) if isinstance(value, Mapping) else None, path[1:])


class NaiveLifecycles:
    """What there should be.

    Attributes:
        things: The resources, by the texts of their keys.
        statuses: For a resource and a writer, the conditions that were reported true, and of which version.
        reports: The references of these statuses.
        past: The revisions of resources that are gone, the newest first.
    """

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self.statuses: dict[tuple[str, str], tuple[frozenset[str], int]] = {}
        self.reports: dict[tuple[str, str], tuple[Edge, ...]] = {}
        self.past: dict[str, tuple[Recorded, ...]] = {}

    def copy(self) -> NaiveLifecycles:
        """Return the same, to go on from there."""
        other = NaiveLifecycles()
        other.things = {text: copy(thing) for text, thing in self.things.items()}
        other.statuses, other.reports, other.past = dict(self.statuses), dict(self.reports), dict(self.past)
        return other

    # content

    def members(self, text: str) -> dict[str, bytes]:
        """Return the documents of a subtree."""
        found = {text: self.things[text].document}
        while more := {
            one: thing.document for one, thing in self.things.items() if one not in found and _parent(thing) in found
        }:
            found |= more
        return found

    def content(self, text: str) -> Content:
        """Return the content of a resource."""
        members, kinds = self.members(text), self.things[text].lifecycle.scope.targets
        edges = [edge for one in members for edge in self.things[one].edges if edge.target.kind in kinds]
        targets = {edge.target.text for edge in edges if not edge.is_open}
        return frozenset({one: self.things[one].document for one in {*members, *targets}}.items())

    # transitions

    def refusals(self, text: str, step: Any, operation: str | None) -> list[Reason]:
        """Return what speaks against a transition, apart from functions of ``check(…)``."""
        thing = self.things[text]
        found: list[Reason] = []
        if thing.state not in step.sources:
            found.append(("it is", str(thing.state.value), "needed"))
        if step.ends and (thing.operation is None or operation != thing.operation):
            found.append(("operation", str(operation)))
        for guard in step.guards:
            found += [(str(guard), *more) for more in self._objections(text, guard)]
        for spec in thing.lifecycle.holds.get(step.to, ()):
            needs = {need.value for need in spec.needs}
            found += [
                (f"hold {spec.place}", one) for one in _targets(thing, spec.path) if self._state(one) not in needs
            ]
        for one, other in self.things.items():
            found += [
                (one, held.place) for held in other.holds if held.target == text and step.to.value not in held.needs
            ]
        return found

    def _state(self, text: str) -> str | None:
        thing = self.things.get(text)
        return None if thing is None or thing.state is None else str(thing.state.value)

    def _objections(self, text: str, guard: Any) -> Iterator[Reason]:  # noqa: C901 - one for each guard
        thing = self.things[text]
        below = sorted(one for one in self.members(text) if one != text)
        match guard:
            case guards.Approved():
                if thing.approved is None or thing.approved[0] != self.content(text):
                    yield ()
            case guards.Some():
                found = [self.things[one].value for one in below if _kind(one) == guard.kind]
                if sum(all(one.holds(value) for one in guard.where) for value in found) < guard.at_least:
                    yield ()
            case guards.Every():
                yield from self._apart((one for one in below if _kind(one) == guard.kind), guard.states, is_wanted=True)
            case guards.NoneIn():
                yield from self._apart(
                    (one for one in below if _kind(one) == guard.kind), guard.states, is_wanted=False
                )
            case guards.Target():
                yield from self._apart(_targets(thing, guard.path), guard.states, is_wanted=True)
            case guards.Ancestor():
                above = [one for one in self._above(text) if _kind(one) == guard.kind]
                yield from self._apart(above, guard.states, is_wanted=True)
            case guards.Referrers():
                found = [
                    one for one, other in self.things.items()
                    if _kind(one) == guard.kind and text in {edge.target.text for edge in other.edges}
                ]  # fmt: skip
                yield from self._apart(found, guard.none_in, is_wanted=False)
            case guards.Observed():
                true, version = self.statuses.get((text, guard.writer), (frozenset(), 0))
                if guard.condition not in true or version < thing.value.meta.version:
                    yield ()
            case _:
                assert isinstance(guard, guards.Check), f"{guard} is not known here"

    def _apart(self, texts: Iterable[str], states: Sequence[str], *, is_wanted: bool) -> Iterator[Reason]:
        return ((one,) for one in texts if (self._state(one) in states) is not is_wanted)

    def _above(self, text: str) -> Iterator[str]:
        above = _parent(self.things[text])
        while above is not None:
            yield above
            above = _parent(self.things[above])

    def make(self, text: str, step: Any, operation: str | None) -> None:
        """Take a transition.

        Args:
            text: The key of the resource.
            step: The transition.
            operation: The id that the store gave to the operation that it begins.
        """
        thing = self.things[text]
        thing.state = step.to
        thing.holds = tuple(
            Held(spec.place, target, frozenset(str(need.value) for need in spec.needs))
            for spec in thing.lifecycle.holds.get(step.to, ())
            for target in _targets(thing, spec.path)
        )
        if step.approves or step.records:
            self.record(text, is_approved=step.approves, is_act=step.approves)
        if step.begins:
            thing.operation, thing.under_way = operation, thing.last if step.records else None
        elif step.ends:
            thing.applied = thing.applied if thing.under_way is None else thing.under_way
            thing.operation = thing.under_way = None
        elif not any(other.ends and step.to in other.sources for other in thing.steps.values()):
            thing.operation = thing.under_way = None

    def record(self, text: str, *, is_approved: bool, is_act: bool) -> None:
        """Record a revision; none if the newest has the same content, unless it is an approval or a rollback."""
        thing, content = self.things[text], self.content(text)
        newest = next((one for one in thing.revisions if one.number == thing.last), None)
        if is_act or newest is None or newest.content != content:
            thing.last += 1
            made = Recorded(thing.value.meta.uid, thing.last, self.members(text), content, is_approved)
            thing.revisions = (made, *thing.revisions)
        if is_approved:
            thing.approved = content, thing.last

    # writes and deletes

    def closure(self, named: Iterable[str]) -> set[str]:
        """Return what a delete takes along."""
        going = set(named)
        while more := {
            text
            for text, thing in self.things.items()
            if text not in going and any(edge.rule is CASCADE and edge.target.text in going for edge in thing.edges)
        }:
            going |= more
        return going

    def keepers(self, going: set[str]) -> set[str]:
        """Return the resources whose state forbids the delete.

        These are those that would go, and those that hold one that its own state would let go.
        """
        kept = {text for text in going if not self.things[text].is_deletable}
        return kept | {
            text
            for text, thing in self.things.items()
            if (text in kept or text not in going) and any(held.target in going - kept for held in thing.holds)
        }

    def blockers(self, going: set[str], named: set[str]) -> set[str]:
        """Return the resources whose references forbid the delete."""
        return {
            text
            for text, thing in self.things.items()
            for edge in thing.edges
            if edge.target.text in going
            and ((edge.rule is RESTRICT and text not in going) or (edge.rule is PROTECT and text not in named))
        }

    def is_judged_elsewhere(self, going: set[str]) -> bool:
        """Return whether references edit, select or stand in statuses, so that more may speak against the delete."""
        others = [edge for text, thing in self.things.items() if text not in going for edge in thing.edges]
        others += [edge for (text, _), edges in self.reports.items() if text not in going for edge in edges]
        reported = {edge.target.text for edges in self.reports.values() for edge in edges}
        return bool(reported & going) or any(
            edge.selection is not None or (edge.rule.edits and edge.target.text in going) for edge in others
        )

    def write(self, value: Any) -> None:
        """Put what was written there; its state stays."""
        thing = self.things.setdefault(value.key.text, Thing.of(value))
        thing.value, (thing.document, thing.edges) = value, written(value)

    def take(self, values: Iterable[Any], *, is_known: bool = True) -> None:
        """Take what a store holds now for what there should be, after a write of more than one resource.

        Args:
            values: All resources.
            is_known: Whether the writer knew the models, so that frozen fields must be as they were.
        """
        found = {value.key.text: value for value in values}
        for text, thing in list(self.things.items()):
            value = found.get(text)
            if value is None or value.meta.uid != thing.value.meta.uid:
                self.forget(text)
            elif is_known:
                assert not thing.frozen_in(value), f"{text} is {thing.state}: {thing.frozen_in(value)}"
        for value in found.values():
            self.write(value)

    def forget(self, text: str) -> None:
        """Take a resource away; its history stays."""
        thing = self.things.pop(text)
        self.past[text] = (*thing.revisions, *self.past.get(text, ()))
        for pair in [pair for pair in self.statuses if pair[0] == text]:
            del self.statuses[pair], self.reports[pair]

    def revisions(self, text: str) -> tuple[Recorded, ...]:
        """Return the history of a key, the newest first."""
        thing = self.things.get(text)
        return (*(thing.revisions if thing else ()), *self.past.get(text, ()))


def _parent(thing: Thing) -> str | None:
    return None if thing.value.parent is None else str(thing.value.parent.key.text)


def _kind(text: str) -> str:
    return text.partition("/")[0]


def _targets(thing: Thing, path: Sequence[str]) -> list[str]:
    """Return what stands at a declared path, in lists and maps too."""
    wanted = tuple(path)
    named = (
        edge.target.text
        for edge in thing.edges
        if edge.selection is None
        and tuple(step for step in edge.path if isinstance(step, str))[: len(wanted)] == wanted
    )
    return list(dict.fromkeys(named))
