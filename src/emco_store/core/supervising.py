"""Supervising: which operators are assigned to which workers, decided by what is stored and by the server's time.

An operator is a resource that a worker carries out: it refers to the worker with ``on_expire(SET_NULL)``, and has a
:class:`Recovery`. When the lease of the worker ends, for whatever reason, the same commit frees the operator. That it
was assigned before is still in its ``recovery``, so whoever supervises can tell work that has failed from work that has
never begun, however late it comes.

Everything here is a pure function of what was read, the server's time, a strategy and a placement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from pydantic import BaseModel

from emco_store.core.keys import Key
from emco_store.core.leases import Reaped
from emco_store.core.strategies import MOST_FAILURES, Failed, GiveUp, Restart, Strategy
from emco_store.errors import InvalidCall, StoreError


class Recovery(BaseModel, frozen=True, extra="allow"):
    """What a supervisor remembers of an operator: a field ``recovery: Recovery = Recovery()`` of its class.

    All times are of the clock of the server. Programs read it, and write it only to let an operator go on that the
    supervisor has given up: ``operator.recovery.cleared()``.

    Attributes:
        attempts: How often the operator has been assigned. It only grows, so it names an attempt: work that finds
            another number than the one it was begun with must stop.
        lease: The uid of the lease under which it is assigned; empty if it is not, or if the failure was counted.
        since: When it was assigned, or when its last failure was counted.
        failures: When it has failed, the oldest first: the failures that still count.
        not_before: When it may be assigned again.
        given_up: Why it is not assigned any more; empty if it is.

    Rules: SUP-6.
    """

    attempts: int = 0
    lease: str = ""
    since: datetime | None = None
    failures: tuple[datetime, ...] = ()
    not_before: datetime | None = None
    given_up: str = ""

    def cleared(self) -> Self:
        """Return it without failures, as for an operator that is to begin anew; ``attempts`` stays."""
        return self._with(lease="", since=None, failures=(), not_before=None, given_up="")

    def assigned(self, lease: str, at: datetime) -> Self:
        """Return it for an operator that is assigned under a lease."""
        return self._with(attempts=self.attempts + 1, lease=lease, since=at, not_before=None)

    def adopted(self, lease: str, at: datetime) -> Self:
        """Return it for an operator that somebody else has assigned under a lease."""
        return self._with(lease=lease, since=at, not_before=None)

    def failed(self, failures: tuple[datetime, ...], at: datetime, after: timedelta) -> Self:
        """Return it for an operator whose failure is counted, and which may be assigned again after a time."""
        return self._with(lease="", since=at, failures=failures, not_before=at + after if after else None)

    def ended(self, failures: tuple[datetime, ...], reason: str) -> Self:
        """Return it for an operator that is given up."""
        return self._with(lease="", failures=failures, not_before=None, given_up=reason)

    def is_waiting(self, at: datetime) -> bool:
        """Return whether it may not be assigned yet.

        Where the clock of the server was set back, it waits at most for as long again.
        """
        if self.not_before is None:
            return False
        since = self.not_before if self.since is None else self.since
        return since - (self.not_before - since) <= at < self.not_before

    def _with(self, **fields: Any) -> Self:
        return self.model_copy(update=fields)


class Standing(NamedTuple):
    """An operator as a supervisor sees it.

    Attributes:
        key: Its key.
        worker: The worker to which it is assigned; None where it is free.
        recovery: Its recovery.
        is_stopped: Whether it is not to run.
        value: The operator.
    """

    key: Key
    worker: Key | None
    recovery: Recovery
    is_stopped: bool
    value: Any


class Candidate(NamedTuple):
    """A worker to which work can be assigned: its holder beats, and is not stuck.

    Attributes:
        worker: The worker.
        load: How many operators are assigned to it.
        lease: The uid of its lease.
    """

    worker: Any
    load: int
    lease: str

    @property
    def key(self) -> Key:
        """The key of the worker."""
        found: Key = self.worker.key
        return found


Placement = Callable[[Any, Sequence[Candidate]], Candidate | None]
"""Chooses one of the candidates for an operator; None to leave it free for now. It must be pure.

The candidates are in the order of their keys, and there may be none."""


def least_loaded(_: Any, candidates: Sequence[Candidate]) -> Candidate | None:
    """Choose the worker to which the fewest operators are assigned; of equal ones, the first by key."""
    return min(candidates, key=lambda one: (one.load, one.key), default=None)


def by_zone(field: str = "zone", *, strict: bool = False) -> Placement:
    """Return a placement that chooses the least loaded of the workers which have the same zone as the operator.

    Args:
        field: The name of the field that holds the zone, in both classes.
        strict: Leave the operator free if there is none, instead of choosing any worker.
    """

    def place(operator: Any, candidates: Sequence[Candidate]) -> Candidate | None:
        zone = getattr(operator, field)
        near = [one for one in candidates if getattr(one.worker, field) == zone]
        return least_loaded(operator, near if near or strict else candidates)

    return place


class Escalation(NamedTuple):
    """Something that people must see to.

    Attributes:
        resources: The operators that were given up, or the worker that is stuck.
        reason: Why, for people.
    """

    resources: tuple[Key, ...]
    reason: str


class Supervised(NamedTuple):
    """What a supervisor did after one look, and what it has found.

    Attributes:
        reaped: What it did to the leases of the dead.
        assigned: The operators that it has assigned, each with its worker.
        failed: The operators whose failure it has counted.
        stopped: The operators that it has taken from their workers because they are not to run.
        waiting: The operators that may not be assigned yet.
        unplaced: The operators for which there is no worker.
        escalated: What it has told ``escalate``.
        refused: What it could not do or read, each with the error.
    """

    reaped: Reaped = Reaped()
    assigned: tuple[tuple[Key, Key], ...] = ()
    failed: tuple[Key, ...] = ()
    stopped: tuple[Key, ...] = ()
    waiting: tuple[Key, ...] = ()
    unplaced: tuple[Key, ...] = ()
    escalated: tuple[Escalation, ...] = ()
    refused: tuple[tuple[Key, StoreError], ...] = ()

    @property
    def is_news(self) -> bool:
        """Whether anything has been done, refused or escalated."""
        return any((*self.reaped, self.assigned, self.failed, self.stopped, self.escalated, self.refused))


@dataclass(frozen=True, slots=True)
class Scene:
    """What a supervisor has read at one look.

    Attributes:
        at: The server's time.
        workers: The workers to which work can be assigned, by key, each with the uid of its lease.
        held: The uid of the lease of each worker that somebody leases, alive or not.
        loads: How many operators are assigned to each worker.
    """

    at: datetime
    workers: Mapping[Key, tuple[Any, str]] = field(default_factory=dict[Key, tuple[Any, str]])
    held: Mapping[Key, str] = field(default_factory=dict[Key, str])
    loads: Mapping[Key, int] = field(default_factory=dict[Key, int])

    def without(self, gone: Iterable[Key]) -> Scene:
        """Return the scene without workers whose leases are others by now."""
        lost = set(gone)
        return replace(
            self,
            workers={key: found for key, found in self.workers.items() if key not in lost},
            held={key: lease for key, lease in self.held.items() if key not in lost},
        )

    def after(self, decision: Decision) -> Scene:
        """Return the scene after a decision was carried out."""
        loads = Counter(self.loads)
        loads.subtract(change.before for change in decision.changes if change.before is not None)
        loads.update(change.worker for change in decision.changes if change.worker is not None)
        return replace(self, loads=loads)


class Change(NamedTuple):
    """What one operator becomes.

    Attributes:
        key: The operator.
        before: The worker to which it was assigned.
        worker: The worker to which it is assigned from now on.
        recovery: Its recovery from now on.
    """

    key: Key
    before: Key | None
    worker: Key | None
    recovery: Recovery


class Decision(NamedTuple):
    """What becomes of the operators of one region, in one commit.

    Attributes:
        changes: The operators that change.
        assigned: Those that are assigned, each with its worker.
        failed: Those whose failure is counted.
        stopped: Those that are taken from their workers because they are not to run.
        waiting: Those that may not be assigned yet.
        unplaced: Those for which there is no worker.
    """

    changes: tuple[Change, ...] = ()
    assigned: tuple[tuple[Key, Key], ...] = ()
    failed: tuple[Key, ...] = ()
    stopped: tuple[Key, ...] = ()
    waiting: tuple[Key, ...] = ()
    unplaced: tuple[Key, ...] = ()


def decide(members: Sequence[Standing], scene: Scene, strategy: Strategy, place: Placement) -> Decision:
    """Say what becomes of the operators of one region.

    All of them restart together: where one has lost its worker, the others are taken from theirs in the same step.

    Args:
        members: The operators of the region.
        scene: What was read besides.
        strategy: What happens to work that has lost its worker.
        place: Where work goes.

    Raises:
        InvalidCall: The strategy or the placement returned something else than it may.

    Rules: SUP-6, SUP-7.
    """
    after = {one.key: one for one in members}
    stopped = [one for one in members if one.is_stopped]
    for one in stopped:
        after[one.key] = one._replace(worker=None, recovery=one.recovery.cleared())
    wanted = [_adopted(one, scene) for one in members if not one.is_stopped]
    failed = [one for one in wanted if one.worker is None and one.recovery.lease]
    wanted = _after_failures(wanted, failed, scene.at, strategy)
    free = [one for one in wanted if one.worker is None and not one.recovery.given_up]
    is_waiting = any(one.recovery.is_waiting(scene.at) for one in free)
    placed = [] if is_waiting else _placed(free, _of_others(scene, members, wanted), place)
    after.update((one.key, one) for one in (*wanted, *placed))
    left = () if placed else tuple(one.key for one in free)
    changes = tuple(
        Change(one.key, one.worker, new.worker, new.recovery)
        for one in members
        if (new := after[one.key]) != one
    )  # fmt: skip
    return Decision(
        changes,
        assigned=tuple((one.key, one.worker) for one in placed if one.worker is not None),
        failed=tuple(one.key for one in failed),
        stopped=tuple(one.key for one in stopped if one.worker is not None),
        waiting=left if is_waiting else (),
        unplaced=() if is_waiting else left,
    )


def _adopted(one: Standing, scene: Scene) -> Standing:
    """Return an operator that runs under a lease as one whose recovery says so."""
    lease = None if one.worker is None else scene.held.get(one.worker)
    if lease is None or lease == one.recovery.lease:
        return one
    return one._replace(recovery=one.recovery.adopted(lease, scene.at))


def _after_failures(
    wanted: list[Standing], failed: Sequence[Standing], at: datetime, strategy: Strategy
) -> list[Standing]:
    """Return the operators that are to run, as their failures and the strategy leave them."""
    reason = next((one.recovery.given_up for one in wanted if one.recovery.given_up), "")
    failures = max((one.recovery.failures for one in wanted), key=len, default=())
    if failed and not reason:
        since = max((one.recovery.since for one in failed if one.recovery.since is not None), default=None)
        attempts = max(one.recovery.attempts for one in failed)
        outcome: Any = strategy(Failed(tuple(one.key for one in failed), at, since, failures, attempts))
        if isinstance(outcome, Restart):
            kept = failures if outcome.failures is None else outcome.failures
            failures = (*kept, at)[-MOST_FAILURES:]
            return [
                one._replace(worker=None, recovery=one.recovery.failed(failures, at, outcome.after)) for one in wanted
            ]
        if not isinstance(outcome, GiveUp):
            raise InvalidCall(
                f"Cannot go on with {outcome!r:.80}.",
                why=["the function of strategy= returned it"],
                hint="return Restart(…) or GiveUp(…).",
            )
        reason, failures = outcome.reason, (*failures, at)[-MOST_FAILURES:]
    if not reason:
        return wanted
    return [one._replace(worker=None, recovery=one.recovery.ended(failures, reason)) for one in wanted]


def _of_others(scene: Scene, members: Sequence[Standing], wanted: Sequence[Standing]) -> Scene:
    """Return the scene with the loads that are left when the operators of a region have been taken from workers."""
    loads = Counter(scene.loads)
    loads.subtract(one.worker for one in members if one.worker is not None)
    loads.update(one.worker for one in wanted if one.worker is not None)
    return replace(scene, loads=loads)


def _placed(free: Sequence[Standing], scene: Scene, place: Placement) -> list[Standing]:
    """Return operators with their workers: all of them, or nothing where one of them finds none."""
    loads = Counter(scene.loads)
    placed: list[Standing] = []
    for one in free:
        candidates = [
            Candidate(worker, max(0, loads[key]), lease) for key, (worker, lease) in sorted(scene.workers.items())
        ]
        chosen: Any = place(one.value, candidates)
        if chosen is None:
            return []
        if chosen not in candidates:
            raise InvalidCall(
                f"Cannot assign {one.key} to {chosen!r:.80}.",
                why=["the function of place= returned it"],
                hint="return one of the candidates that it was given, or None.",
            )
        loads[chosen.key] += 1
        placed.append(one._replace(worker=chosen.key, recovery=one.recovery.assigned(chosen.lease, scene.at)))
    return placed
