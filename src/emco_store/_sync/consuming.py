# Generated from src/emco_store/_aio/consuming.py by `python3 dev.py sync`: do not edit.
"""What deals with the events of the feed one after the other, under a lease, and saves where it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Final

from emco_store._sync.leading import Leading
from emco_store._sync.looking import Looks
from emco_store._sync.watching import STEP
from emco_store.beating import Lease, required
from emco_store.core.consumers import Numbered, Place, seat_of
from emco_store.core.leases import LeaseTarget
from emco_store.core.strategies import MOST_FAILURES, Failed, GiveUp, Restart, Strategy
from emco_store.errors import Conflict, FeedGap, LeaseHeld, LeaseLost, Unavailable, UnknownOutcome
from emco_store.flows import consuming
from emco_store.flows.consuming import Consuming, ElsewhereError
from emco_store.flows.context import checked_deadline
from emco_store.flows.unit import Unit
from emco_store.queueing.pauses import pause

SAVE_S: Final = 300.0
"""After how many seconds a cursor is saved that only events have moved which do not concern the consumer."""


class FeedConsuming(ABC):
    """Deals with events under the lease of a seat; see the classes that say what is done about them.

    Args:
        looks: What reads the leases, with the surroundings.
        asked: Who consumes what.
        retry: Says what happens after an event could not be dealt with; None: stop.
    """

    def __init__(self, looks: Looks, asked: Consuming, retry: Strategy | None) -> None:
        self._looks = looks
        self._context, self._attempts = looks.context, looks.attempts
        self._asked = asked
        self._retry = retry
        self._leading = Leading(looks, asked.seat, asked.ttl)
        self._stopped = False
        self._leader = ""
        self._place: Place | None = None
        self._ahead = Place("", 0, None)
        self._begun = ""
        self._expected = ""
        self._is_end = False
        self._events: deque[Numbered] = deque()
        self._singly = 0
        self._failures: tuple[datetime, ...] = ()
        self._tries = 0
        self._saved_s = monotonic()

    @property
    def name(self) -> str:
        """The name under which it works."""
        return self._asked.name

    @property
    def seat(self) -> str:
        """The name of the seat whose lease it holds while it works."""
        return self._asked.seat

    def stop(self) -> None:
        """Let :meth:`run` return after the event at hand; may be called from any thread."""
        self._stopped = True
        self._leading.stop()

    def run(self, *, idle: timedelta | None = None) -> None:
        """Work, or wait while another program works under this name, until :meth:`stop` is called.

        Args:
            idle: Return when there has been no event for so long; None for never.

        Raises:
            HandlerFailed: An event cannot be dealt with.
            FeedGap: Something is missing after the cursor, and there is no ``reset=``.
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.

        Rules: FEED-11.
        """
        checked_deadline(idle)
        self._leading = leading = Leading(self._looks, self._asked.seat, self._asked.ttl)

        def work(leader: Lease) -> None:
            begin_s = monotonic()
            while not self._stopped:
                wait = STEP
                if idle is not None:
                    wait = min(STEP, max(idle - timedelta(seconds=monotonic() - begin_s), timedelta(0)))
                if self.step(leader, wait=wait):
                    begin_s = monotonic()
                elif self._is_end and idle is not None and monotonic() - begin_s >= idle.total_seconds():
                    leading.stop()
                    return

        if not self._stopped:
            leading.run(work)

    def step(self, leader: Lease, *, wait: timedelta = timedelta(0)) -> int:
        """Deal with the next events, in one transaction.

        Args:
            leader: The lease of the seat ``seat``, which must be there at the commit.
            wait: How long to wait if there is nothing yet.

        Returns:
            How many events were dealt with; 0 is not the end.

        Raises:
            LeaseLost: Another program works under this name.
            HandlerFailed: An event cannot be dealt with.
            FeedGap: Something is missing after the cursor, and there is no ``reset=``.
            Unavailable: The backend does not answer.

        Rules: FEED-11.
        """
        target = required(leader, self._context)
        try:
            place = self._placed(target)
            if not self._events:
                self._read(place, target, wait)
            if not self._events:
                return 0
        except ElsewhereError:
            self._forget()
            return 0
        except BaseException:
            self._forget()
            raise
        batch = tuple(islice(self._events, 1 if self._singly else self._asked.batch))
        try:
            self._place = self._deal(batch, place, leader)
        except ElsewhereError:
            self._forget()
            return 0
        except Exception as problem:
            self._forget()
            if _is_passing(problem, target):
                raise
            self._fail(place, batch, problem)
            return 0
        except BaseException:
            self._forget()
            raise
        for _ in batch:
            self._events.popleft()
        self._singly = max(0, self._singly - len(batch))
        self._failures, self._tries, self._saved_s = (), 0, monotonic()
        return len(batch)

    @abstractmethod
    def _deal(self, batch: Sequence[Numbered], place: Place, leader: Lease) -> Place:
        """Deal with events, and save that it was done.

        Args:
            batch: The events.
            place: Where the consumer stands, before them.
            leader: The lease that must be there at the commit.

        Returns:
            Where it stands after them.

        Raises:
            ElsewhereError: It stands elsewhere.
        """

    @abstractmethod
    def _begin(self, target: LeaseTarget, place: Place | None, gap: FeedGap | None) -> Place:
        """Begin where there is no cursor yet, or after a gap, and save that.

        Args:
            target: The lease that must be there at the commit.
            place: Where it stands; None where it has not begun.
            gap: The gap; None where it has not begun.

        Raises:
            FeedGap: It must not begin anew.
        """

    def _ready(self, place: Place) -> Place:
        """Return where to begin to read; ``_expected`` is the id of the commit that must follow, if it is known."""
        return place

    def _placed(self, target: LeaseTarget) -> Place:
        """Return where the consumer stands, and begin where it has not begun."""
        if self._place is None or self._leader != target.uid:
            self._forget()
            place = self._attempts.once(consuming.place_of(self.name), None)
            if place is None:
                place = self._begin(target, None, None)
            self._ahead = self._ready(place)
            self._begun = self._ahead.cursor
            self._place, self._leader = place, target.uid
        return self._place

    def _read(self, place: Place, target: LeaseTarget, wait: timedelta) -> None:
        """Read on, and save the cursor where enough has passed that does not concern the consumer."""
        try:
            part = self._attempts.once(consuming.step(self._asked.watching, self._ahead, wait), None)
            if self._expected and part.first:
                consuming.refuse_another(self._ahead.cursor, expected=self._expected, found=part.first)
                self._expected = ""
        except FeedGap as gap:
            self._is_end = False
            if consuming.is_ahead(self._ahead, self._begun):
                self._forget()
            else:
                self._place = self._ahead = self._begin(target, place, gap)
            return
        self._ahead = Place(part.cursor, part.number, None)
        self._events.extend(part.events)
        self._is_end = not part.first
        passed = part.number - place.number
        is_due = passed >= consuming.LIMIT or monotonic() - self._saved_s >= SAVE_S
        if not part.events and part.cursor != place.cursor and is_due:
            self._place = self._save(place, target, part.cursor, part.number)

    def _save(self, place: Place, target: LeaseTarget, cursor: str, number: int) -> Place:
        """Save the cursor in a commit of its own."""
        saved = self._attempts.retried(
            lambda holding: consuming.save(
                Unit(self._context, holding), self.name, place, target, cursor=cursor, number=number
            ),
            None,
        )
        self._saved_s = monotonic()
        return saved

    def _forget(self) -> None:
        """Forget what was read: something else may be there."""
        self._place, self._expected = None, ""
        self._events.clear()

    def _fail(self, place: Place, batch: Sequence[Numbered], problem: Exception) -> None:
        """Wait before the next attempt, or stop; of several events in one transaction, deal with each by itself."""
        if len(batch) > 1:
            self._singly = len(batch)
            return
        why = f"{type(problem).__name__}: {problem}"
        decision = self._decided()
        if isinstance(decision, GiveUp):
            reasons = (why, decision.reason) if decision.reason else (why,)
            raise consuming.failure(self.name, place, batch[0], self._tries, reasons) from problem
        self._rest(decision.after.total_seconds())

    def _decided(self) -> Restart | GiveUp:
        """Count a failure, and return what follows it."""
        self._tries += 1
        if self._retry is None:
            return consuming.STOP
        at = self._context.clock.now()
        decision = self._retry(Failed((seat_of(self.name).key,), at, None, self._failures, self._tries))
        if isinstance(decision, Restart):
            counted = self._failures if decision.failures is None else decision.failures
            self._failures = (*counted, at)[-MOST_FAILURES + 1 :]
        return decision

    def _rest(self, seconds: float) -> None:
        """Pause, unless it is stopped."""
        end_s = monotonic() + seconds
        while not self._stopped and (left_s := end_s - monotonic()) > 0:
            pause(min(left_s, STEP.total_seconds()))


def _is_passing(problem: Exception, target: LeaseTarget) -> bool:
    """Return whether the reason has nothing to do with the event: the backend, other writers, or another leader."""
    if isinstance(problem, LeaseLost):
        return target.resource in problem.keys
    if isinstance(problem, LeaseHeld):
        return False
    return isinstance(problem, Unavailable | UnknownOutcome) or (isinstance(problem, Conflict) and not problem.pinned)
