"""What a walk does to a store: writes, reports and transitions, each compared with what should happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from hypothesis import note

from emco_store.contracts.naive_lifecycles import Content, NaiveLifecycles, Reason, Thing
from emco_store.core.guards import Check
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.core.status import Status
from emco_store.errors import (
    AlreadyExists,
    ContentChanged,
    InvalidResource,
    MissingReference,
    NotFound,
    NotPermitted,
    StateForbids,
    StoreError,
    TransitionRefused,
    UniqueViolation,
)

Opener = Callable[..., Any]
"""Opens one more store on the data of a program, with the arguments of ``connect``."""
Space = Callable[[], AbstractContextManager[Opener]]
"""Gives each program data of its own."""
Choice = Callable[[NaiveLifecycles, str, Any], bool]
"""Tells whether a transition of a resource is among those from which one is drawn."""
STRANGER = "stranger"
"""An actor that no transition names as a writer."""
PLAIN = (MissingReference, UniqueViolation, InvalidResource)
"""What may speak against a write, and has nothing to do with lifecycles."""


@dataclass(slots=True)
class Walked:
    """What a walk has done.

    Attributes:
        programs: The number of programs.
        made: How often each transition was made, by ``Lifecycle.transition``.
        refused: How often each was refused.
        unmade: The declared transitions that were never made.
        deletes: How many deletes were made.
        refused_deletes: How many were refused.
        rollbacks: How many rollbacks and restores were made.
    """

    programs: int = 0
    made: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    unmade: tuple[str, ...] = ()
    deletes: int = 0
    refused_deletes: int = 0
    rollbacks: int = 0

    def __str__(self) -> str:
        made, refused = self.made.total(), self.refused.total()
        line = f"{self.programs:,} programs: {made:,} transitions made, {refused:,} refused; "
        line += f"{self.deletes:,} deletes made, {self.refused_deletes:,} refused; {self.rollbacks:,} brought back."
        return "\n".join([line, *(f"  never made: {name}" for name in self.unmade)])


class _Refused(Exception):
    """A transition of a transaction was refused, as it should be: leave the transaction."""


class Walker:
    """One program on a namespace, as far as it writes and makes transitions.

    Args:
        opener: Opens one more store.
        resources: What it writes.
        walked: What the walk has done so far.
    """

    def __init__(self, opener: Opener, resources: Sequence[Resource], walked: Walked) -> None:
        self.statuses: list[Any] = [one for one in resources if isinstance(one, Status)]
        self.versions: list[Any] = [one for one in resources if not isinstance(one, Status)]
        self.first: dict[str, Any] = {}
        for one in self.versions:
            self.first.setdefault(one.key.text, one)
        models = list({type(one): None for one in resources})
        self.open = opener
        self.store: Any = opener(models=models)
        self.reader: Any = opener(models=models)
        self.expected = NaiveLifecycles()
        self.digests: dict[str, dict[Content, str]] = {}
        self.operations: list[str] = ["none"]
        self.actor = ""
        self.tried = Counter[str]()
        self.walked = walked
        walked.programs += 1

    def begin(self) -> None:
        """Create the first version of each resource."""
        with self.store.transaction() as tx:
            for value in self.first.values():
                tx.create(value)
        self.take()

    def take(self, *, is_known: bool = True) -> None:
        """Take what the store holds for what there should be."""
        self.expected.take(self.store.list(Resource), is_known=is_known)

    # writes

    def write(self, dice: Random) -> None:
        """Create or replace resources, one after the other."""
        for _ in range(dice.randint(1, 4)):
            self.put(dice.choice(self.versions), is_new=not dice.randint(0, 3))

    def complete(self, _: Random) -> None:
        """Create what is missing."""
        for text, value in self.first.items():
            if text not in self.expected.things:
                self.put(value, is_new=True)

    def put(self, value: Any, *, is_new: bool) -> None:
        """Create a resource, or put it in place of what is there, and compare the outcome."""
        text, thing = value.key.text, self.expected.things.get(value.key.text)
        note(f"{'create' if is_new else 'put'} {value!r}")
        frozen = set[str]() if thing is None else thing.frozen_in(value)
        made, problem = outcome(partial(self.store.create if is_new else self.store.put, value))
        if isinstance(problem, AlreadyExists):
            assert is_new
            assert thing is not None
        elif isinstance(problem, StateForbids):
            assert thing is not None
            assert (frozen, thing.state.value) == (set(problem.frozen), problem.state)
        elif problem is None:
            assert not (is_new and thing), f"{text} was created over another one"
            assert not frozen, f"{frozen} of {text} changed"
            assert value.parent is None or value.parent.key.text in self.expected.things, f"{text} is under nothing"
            self.expected.write(made)
        else:
            assert isinstance(problem, PLAIN), problem

    def report(self, dice: Random) -> None:
        """Report a status of the version that a resource has."""
        if self.statuses:
            self.observe(dice.choice(self.statuses))

    def observe(self, status: Any) -> None:
        """Report a status, and compare the outcome."""
        text, writer = status.parent.key.text, status.name
        note(f"report {status!r}")
        thing = self.expected.things.get(text)
        version = 1 if thing is None else thing.value.meta.version
        with self.store.acting(actor=writer):
            made, problem = outcome(partial(self.store.set_status, status, observed=version))
        if problem is not None:
            assert isinstance(problem, NotFound if thing is None else PLAIN), problem
        else:
            assert thing is not None
            true = frozenset(name for name, one in status.conditions.items() if one.is_true)
            self.expected.statuses[text, writer] = true, version
            self.expected.reports[text, writer] = Thing.of(made).edges

    # transitions

    def advance(self, dice: Random) -> None:
        """Make transitions that are possible, one after the other."""
        for _ in range(dice.randint(2, 8)):
            self._draw_step(dice, self.store, self.expected, among=_possible)

    def attempt(self, dice: Random) -> None:
        """Try transitions: any that are declared, or those of the states that there are."""
        for _ in range(dice.randint(1, 4)):
            self._draw_step(dice, self.store, self.expected, among=dice.choice([_here, _every]))

    def plan_and_apply(self, dice: Random) -> None:
        """Plan a transition, possible or not, and apply the plan."""
        among = dice.choice([_here, _every])
        self._draw_step(dice, self.store, self.expected, among=among, is_planned=True)

    def change_several_states(self, dice: Random) -> None:
        """Make transitions in one transaction; all of them happen, or none."""
        expected = self.expected.copy()
        made = Counter(self.walked.made)
        with suppress(_Refused):
            with self._acting(dice), self.store.transaction() as tx:
                for _ in range(dice.randint(1, 3)):
                    _go_on(self._draw_step(dice, tx, expected, among=dice.choice([_possible, _possible, _here])))
            self.expected = expected
            return
        self.walked.made = made

    def _acting(self, dice: Random) -> Any:
        writers = {
            writer for thing in self.expected.things.values() for one in thing.steps.values() for writer in one.writers
        }
        self.actor = dice.choice([STRANGER, *sorted(writers), *sorted(writers)])
        return self.store.acting(actor=self.actor)

    def _draw_step(
        self, dice: Random, on: Any, expected: NaiveLifecycles, *, among: Choice, is_planned: bool = False
    ) -> bool:
        """Make a transition that is drawn, and return whether it was made."""
        steps = {
            f"{text} {name}": (text, one)
            for text, thing in sorted(expected.things.items())
            for name, one in thing.steps.items()
            if among(expected, text, one)
        }
        if not steps:
            return True
        if dice.randint(0, 1):  # what this program has done least
            least = min(self.tried[name] for name in steps)
            steps = {name: pair for name, pair in steps.items() if self.tried[name] == least}
        text, one = steps[name := dice.choice(list(steps))]
        self.tried[name] += 1
        is_right = bool(dice.randint(0, 3))
        if on is not self.store:
            return self.make(on, expected, text, one, is_right=is_right, is_planned=False)
        chosen = [*sorted(one.writers)] * 3 or [""]
        self.actor = dice.choice([*chosen, STRANGER])
        with self.store.acting(actor=self.actor or None):
            return self.make(on, expected, text, one, is_right=is_right, is_planned=is_planned)

    def make(
        self,
        on: Any,
        expected: NaiveLifecycles,
        text: str,
        one: Any,
        *,
        is_right: bool = True,
        is_planned: bool = False,
    ) -> bool:
        """Make a transition and compare its outcome; return whether it was made.

        Args:
            on: The store, or a transaction.
            expected: What there is before, and is to be after.
            text: The key of the resource.
            one: The transition.
            is_right: Whether digest and operation are those that it needs.
            is_planned: Whether it is planned, and the plan applied.
        """
        thing, key = expected.things[text], Key.parse(text)
        content = expected.content(text)
        operation = thing.operation if is_right and thing.operation else self.operations[-1]
        more: dict[str, Any] = {"operation": operation} if one.ends else {}
        looked = content
        if one.approves and not is_planned:
            others = [other for other in self.digests_of(text, content) if other != content]
            looked = content if is_right or not others else others[0]
            more["digest"] = self.digests[text][looked]
        reasons = expected.refusals(text, one, operation)
        note(
            f"{one} of {text}, which is {thing.state}, by {self.actor or 'nobody'}: {'refused' if reasons else 'made'}"
        )
        wanted = self._error_of(one, reasons, is_outdated=looked != content)
        call = partial(self._by_plan, key, thing, one, reasons) if is_planned else partial(on.transition, key, one)
        record, problem = outcome(partial(call, **more))
        if problem is not None:
            self.walked.refused[str(one)] += 1
            self._compare(problem, wanted, thing, one, reasons)
            return False
        assert wanted is None, f"{one} of {text}, which is {thing.state}, was made: {wanted} {reasons}"
        self.walked.made[str(one)] += 1
        assert one.begins is (record.operation not in {None, *self.operations}), "each operation has a new id"
        if one.begins:
            self.operations.append(record.operation)
        expected.make(text, one, record.operation)
        agree(record, thing)
        return True

    def digests_of(self, text: str, content: Content) -> list[Content]:
        """Return the contents of a resource whose digests are known, and see that each has one of its own."""
        known = self.digests.setdefault(text, {})
        digest = self.reader.digest(Key.parse(text))  # inside a transaction, the store itself cannot be asked
        assert known.setdefault(content, digest) == digest, f"the content of {text} has two digests"
        assert len(known) == len(set(known.values())), f"two contents of {text} have one digest"
        return list(known)

    def _error_of(self, one: Any, reasons: Sequence[Reason], *, is_outdated: bool) -> type[StoreError] | None:
        if one.writers and self.actor not in one.writers:
            return NotPermitted
        if reasons:
            return TransitionRefused
        return ContentChanged if is_outdated else None

    def _by_plan(self, key: Key, thing: Thing, one: Any, reasons: Sequence[Reason], **more: Any) -> Any:
        plan = self.store.plan_transition(key, one, **more)
        assert thing.state is plan.state
        _explain(plan.refusals, reasons, one)
        return self.store.apply(plan)

    def _compare(
        self, problem: StoreError, wanted: type[StoreError] | None, thing: Thing, one: Any, reasons: Sequence[Reason]
    ) -> None:
        """See that a refusal is the expected one, names every reason, and says what is possible."""
        checks = any(isinstance(guard, Check) for guard in one.guards)
        assert type(problem) is (wanted or TransitionRefused), problem
        assert wanted is not None or checks, problem
        if isinstance(problem, TransitionRefused):
            _explain(problem.reasons, reasons, one)
            ways = {name for name, other in thing.steps.items() if thing.state in other.sources}
            assert (thing.state.value, ways) == (problem.state, set(problem.allowed))
            assert ways or thing.is_deletable, f"there is no way out of {thing.state}"


def outcome(call: Callable[[], Any]) -> tuple[Any, StoreError | None]:
    """Return what a call returned, or the error with which it was refused."""
    try:
        return call(), None
    except StoreError as problem:
        return None, problem


def _go_on(was_made: bool) -> None:  # noqa: FBT001 - the answer of a call
    if not was_made:
        raise _Refused


def _possible(expected: NaiveLifecycles, text: str, one: Any) -> bool:
    return not expected.refusals(text, one, expected.things[text].operation)


def _here(expected: NaiveLifecycles, text: str, one: Any) -> bool:
    return expected.things[text].state in one.sources


def _every(*_: Any) -> bool:
    return True


def _explain(found: Sequence[str], reasons: Sequence[Reason], one: Any) -> None:
    """See that a refusal names each reason, and nothing else but what functions have said."""
    left = [
        reason for reason in found if not reason.startswith(tuple(str(g) for g in one.guards if isinstance(g, Check)))
    ]
    for parts in reasons:
        names = [reason for reason in left if all(part in reason for part in parts)]
        assert names, f"{parts} is not among {found}"
        left.remove(names[0])
    assert not left, f"nothing should have said: {left}"


def agree(record: Any, thing: Thing) -> None:
    """See that a lifecycle record says what it should."""
    approved = None if record.approved is None else record.approved.revision
    assert (thing.state, thing.operation, thing.last, thing.applied) == (
        record.state, record.operation, record.revision, record.applied,
    )  # fmt: skip
    assert approved == (None if thing.approved is None else thing.approved[1])
    assert (thing.tags or {}) == dict(record.tags)
