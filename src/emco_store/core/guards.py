"""Guards: what must be true besides the state before a transition may happen, as declarations that can be drawn.

A guard says what it reads and judges what was read: see :mod:`emco_store.core.sights`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, cast

from emco_store.core.keys import Key
from emco_store.core.kinship import is_kind
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.objections import Objection
from emco_store.core.query import Condition, conditions_of, path_of
from emco_store.core.sights import Guard, Model, Sight, references_at, targets_at
from emco_store.core.status import read_report, status_key
from emco_store.errors import shown


@dataclass(frozen=True, slots=True)
class Approved(Guard):
    """The content is the one that was approved last."""

    reads_content: ClassVar[bool] = True

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Compare digests."""
        approval = None if sight.standing is None else sight.standing.approved
        if approval is None:
            yield Objection("nothing was approved yet", f"approve the content{_approving(sight)}")
        elif sight.content is not None and approval.digest != sight.content.digest:
            by = f", approved by {approval.actor}," if approval.actor else ", which was approved,"
            number, changes, among = approval.revision, sight.changes, len(sight.content.keys.union(sight.changes))
            changed = f"; {len(changes):,} of {among:,} changed: {', '.join(shown([key.text for key in changes]))}"
            yield Objection(
                f"revision {number}{by} is not the content now{changed if changes else ''}",
                f'store.diff(key, {number}, "now") shows the change; approve it{_approving(sight)}, or roll back',
            )


@dataclass(frozen=True, slots=True)
class Some(Guard):
    """The subtree has members of a kind."""

    kind: str
    where: tuple[Condition, ...]
    at_least: int
    reads_content: ClassVar[bool] = True

    def __str__(self) -> str:
        more = f", at_least={self.at_least}" if self.at_least > 1 else ""
        return f"some({self.kind}{', where=…' if self.where else ''}{more})"

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Count the members; one that cannot be read fulfils no condition."""
        members = sight.members(self.kind)
        if self.where:
            values = [sight.value(record) for record in members]
            members = [
                record
                for record, value in zip(members, values, strict=True)
                if not isinstance(value, Exception) and all(condition.holds(value) for condition in self.where)
            ]
        if len(members) < self.at_least:
            missing = self.at_least - len(members)
            such = " that meets the conditions" if self.where else ""
            yield Objection(
                f"{len(members)} of {self.at_least} that are needed below it",
                f"create {missing:,} more {self.kind}{such} below {sight.record.key}",
            )


@dataclass(frozen=True, slots=True)
class Every(Guard):
    """Each member of a kind in the subtree is in one of some states."""

    kind: str
    states: tuple[str, ...]
    reads_content: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"every({self.kind}, state={_several(self.states)})"

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield the lifecycle records of the members."""
        return (standing_key(record.key) for record in sight.members(self.kind))

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at the state of each member."""
        return sight.outside([record.key for record in sight.members(self.kind)], self.states)


@dataclass(frozen=True, slots=True)
class NoneIn(Guard):
    """No member of a kind in the subtree is in one of some states."""

    kind: str
    states: tuple[str, ...]
    reads_content: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"none({self.kind}, state={_several(self.states)})"

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield the lifecycle records of the members."""
        return (standing_key(record.key) for record in sight.members(self.kind))

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at the state of each member."""
        return sight.inside([record.key for record in sight.members(self.kind)], self.states)


@dataclass(frozen=True, slots=True)
class Target(Guard):
    """What a field refers to is in one of some states."""

    path: tuple[str, ...]
    states: tuple[str, ...]

    def __str__(self) -> str:
        return f"target({'.'.join(self.path)}, state={_several(self.states)})"

    def problems(self, model: Model) -> Iterator[str]:
        """Yield why the field is no reference."""
        if not references_at(model, self.path):
            yield f"{self}: {'.'.join(self.path)} is no reference"

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield the lifecycle records of the targets."""
        return map(standing_key, targets_at(sight.record, self.path))

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at the state of each target."""
        return sight.outside(targets_at(sight.record, self.path), self.states)


@dataclass(frozen=True, slots=True)
class Ancestor(Guard):
    """The ancestor of a kind is in one of some states."""

    kind: str
    states: tuple[str, ...]

    def __str__(self) -> str:
        return f"ancestor({self.kind}, state={_several(self.states)})"

    def problems(self, model: Model) -> Iterator[str]:
        """Yield why there is no such ancestor."""
        if self.kind not in [kind for kind, _ in model.__emco__.chain[:-1]]:
            yield f"{self}: {model.__emco__.kind} does not lie under {self.kind}"

    def _key(self, sight: Sight) -> Key:
        length = 0
        for kind, names in sight.model_of(sight.record.key.kind).__emco__.chain:  # type: ignore[union-attr]  # it is known
            length += names
            if kind == self.kind:
                break
        return Key.trusted(self.kind, sight.record.key.segments[:length])

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield its lifecycle record."""
        yield standing_key(self._key(sight))

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at its state."""
        return sight.outside([self._key(sight)], self.states)


@dataclass(frozen=True, slots=True)
class Referrers(Guard):
    """No resource of a kind that refers to this one is in one of some states."""

    kind: str
    none_in: tuple[str, ...]

    def __str__(self) -> str:
        return f"referrers({self.kind}, none_in={_several(self.none_in)})"

    @property
    def referrer_kind(self) -> str | None:
        """See the base class."""
        return self.kind

    def _keys(self, sight: Sight) -> list[Key]:
        return [record.key for record in sight.referrers if record.key.kind == self.kind]

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield the lifecycle records of the referrers."""
        return map(standing_key, self._keys(sight))

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at the state of each referrer."""
        return sight.inside(self._keys(sight), self.none_in)


@dataclass(frozen=True, slots=True)
class Observed(Guard):
    """A writer reports that a condition is true of the version that the resource has."""

    writer: str
    condition: str

    def __str__(self) -> str:
        return f"observed({self.writer}, {self.condition})"

    def needs(self, sight: Sight) -> Iterator[Key]:
        """Yield the status of the writer."""
        yield status_key(sight.record.key, self.writer)

    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Look at the condition; one that is older than the version counts as unknown."""
        report = read_report(sight.found.get(status_key(sight.record.key, self.writer)))
        said = report.condition(self.condition, sight.record.version)
        if said is None or not said.is_true:
            yield Objection(
                f"{self.condition} is not known to be true of version {sight.record.version}",
                f"wait until {self.writer} has reported on version {sight.record.version}",
            )


@dataclass(frozen=True, slots=True)
class Check(Guard):
    """A function that may read more through the transaction; who performs the transition calls it."""

    function: Callable[..., Any]

    def __str__(self) -> str:
        return f"check({getattr(self.function, '__name__', 'function')})"

    def problems(self, model: Model) -> Iterator[str]:  # noqa: ARG002 - see the base class
        """Yield why it cannot be called."""
        if not callable(self.function):
            yield f"check({self.function!r:.40}): it is no function"

    def objections(self, sight: Sight) -> Iterator[Objection]:  # noqa: ARG002 - see the base class
        """Leave it to the caller, who has the transaction."""
        return iter(())


# declarations


def approved() -> Guard:
    """Require that the content is the one that was approved last.

    Rules: LIF-11.
    """
    return Approved()


def some(kind: type | str, *, where: Any = (), at_least: int = 1) -> Guard:
    """Require members of a kind in the subtree.

    Args:
        kind: The class, or the name of the kind where the class is defined later.
        where: Conditions that a member must meet.
        at_least: How many there must be (>= 1).
    """
    return Some(_kind(kind), conditions_of(where), at_least)


def every(kind: type | str, *, state: Any) -> Guard:
    """Require that each member of a kind in the subtree is in the state, or in one of several."""
    return Every(_kind(kind), states_of(state))


def none(kind: type | str, *, state: Any) -> Guard:
    """Require that no member of a kind in the subtree is in the state, or in one of several."""
    return NoneIn(_kind(kind), states_of(state))


def target(path: Any, *, state: Any) -> Guard:
    """Require that what ``F.path`` refers to is in the state, or in one of several."""
    return Target(path_of(path), states_of(state))


def ancestor(kind: type | str, *, state: Any) -> Guard:
    """Require that the ancestor of a kind is in the state, or in one of several."""
    return Ancestor(_kind(kind), states_of(state))


def referrers(kind: type | str, *, none_in: Any) -> Guard:
    """Require that no referrer of a kind is in the state, or in one of several."""
    return Referrers(_kind(kind), states_of(none_in))


def observed(status: type | str, condition: str) -> Guard:
    """Require that a condition is true of the version that the resource has.

    Args:
        status: The class of the status, or the name of its writer where the class is defined later.
        condition: The name of the condition, such as ``"Ready"``.

    Rules: GEN-4.
    """
    writer = cast("Any", status).__emco__.writer if is_kind(status) else status
    return Observed(str(writer), condition)


def check(function: Callable[..., Any]) -> Guard:
    """Require that ``function(tx, resource)`` returns None; a text that it returns is the refusal.

    Args:
        function: A function that reads through ``tx`` and writes nothing. For an asyncio store it may be declared with
            ``async def``.
    """
    return Check(function)


# what they share


def states_of(state: Any) -> tuple[str, ...]:
    """Return the values of one state or several; those that are none stay visible as text."""
    several = [state] if isinstance(state, Enum | str) or not isinstance(state, Iterable) else list(cast("Any", state))
    return tuple(sorted(one.value if isinstance(one, Enum) else repr(one) for one in several))


def _kind(kind: Any) -> str:
    return kind.__emco__.kind if is_kind(kind) else kind if isinstance(kind, str) else repr(kind)


def _approving(sight: Sight) -> str:
    """Return the names of the transitions that approve, in brackets."""
    model = sight.model_of(sight.record.key.kind)
    lifecycle = None if model is None else model.__emco__.lifecycle
    steps = [] if lifecycle is None else [name for name, step in lifecycle.spec.transitions.items() if step.approves]
    return f" ({' or '.join(steps)})" if steps else ""


def _several(states: Sequence[str]) -> str:
    return states[0] if len(states) == 1 else f"{{{', '.join(states)}}}"
