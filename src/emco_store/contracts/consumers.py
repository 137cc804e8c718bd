"""FEED-11: named consumers, each of whose events has its effect in the store once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest

from emco_store.contracts.blocking import raw
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Site
from emco_store.contracts.rules import rule
from emco_store.contracts.watches import seen
from emco_store.core.consumers import seat_of
from emco_store.core.events import Event
from emco_store.core.keys import Key
from emco_store.core.leases import Verdict
from emco_store.core.resource import Resource
from emco_store.core.strategies import Backoff, FailureRate
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    FeedGap,
    HandlerFailed,
    InvalidCall,
    LeaseHeld,
    LeaseLost,
    MissingReference,
)
from emco_store.ports import Events, feed_gap

PATIENCE: Final = timedelta(seconds=10)
"""How long a consumer waits for an event that will come; no test that passes waits so long."""
NAME: Final = "billing"


class Daybook(Resource):
    """What a consumer has done, in order."""

    entries: list[str] = []


class ConsumerRules:
    """Consume."""

    @rule("FEED-11")
    def test_each_event_has_its_effect_once_and_in_order_across_starts(self, lab: Lab) -> None:
        """Wherever a consumer is stopped, the next one goes on with the event that follows (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 5)
        for count in (2, 1, 2, 0):  # the last one finds nothing
            deal(lab.open(), count, after=begin)
        more = create(lab, 2)
        deal(lab.store, 2, after=begin)

        assert [*names, *more] == written(lab)

    @rule("FEED-11")
    def test_first_start_begins_now_and_later_ones_where_the_last_one_ended(self, lab: Lab) -> None:
        """What was committed before the first start is not told, and nothing after it is left out (FEED-11)."""
        create(lab, 2)
        deal(lab.store, 0)
        names = create(lab, 2)
        deal(lab.open(), 2, after=lab.store.feed_cursor())

        assert names == written(lab)

    @rule("FEED-11")
    def test_several_events_have_their_effects_in_one_commit(self, lab: Lab) -> None:
        """With a batch, several events share a transaction, in order (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 5)
        deal(lab.store, 5, after=begin, batch=3)

        assert names == written(lab)
        assert 2 == len(seen(lab.store, begin, 2, kinds=[Daybook]))

    @rule("FEED-11")
    def test_event_that_fails_stops_the_consumer_before_it(self, lab: Lab) -> None:
        """The error names the event and has the cause; nothing is written, and the next start has it (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 4)
        failures: list[HandlerFailed] = []
        causes: list[tuple[Callable[[Any], object], type[Exception]]] = [
            (_raise, ZeroDivisionError),
            (lambda tx: tx.create(Crate(parent=Key("Site", "none"), name="c")), MissingReference),
            (lambda tx: tx.create(Site(name=names[0])), AlreadyExists),
            (lambda tx: tx.commit(), InvalidCall),
        ]
        for batch in (1, 3):
            for cause, error in causes[: 3 if batch == 1 else 2]:
                with pytest.raises(HandlerFailed) as raised:
                    deal(lab.open(), 4, fails={names[2]: cause}, after=begin, batch=batch)
                assert error is type(raised.value.__cause__)
                failures.append(raised.value)

        assert names[:2] == written(lab)
        assert {(NAME, 1)} == {(one.consumer, one.attempts) for one in failures}
        (event,) = {(one.cursor, one.txid) for one in failures}
        told = next(iter(lab.store.watch(after=event[0], idle=PATIENCE)), None)
        assert told is not None
        deal(lab.store, 2, after=begin)
        assert names == written(lab)

    @rule("FEED-11")
    def test_function_that_ends_its_transaction_is_refused_and_has_no_second_effect(self, lab: Lab) -> None:
        """An early commit carries the cursor too, and an early end is no success (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 3)
        ends: list[Callable[[Any], object]] = [lambda tx: raw(tx).end(), lambda tx: tx.commit()]
        for end in ends:
            with pytest.raises(HandlerFailed):
                deal(lab.store, 1, fails={names[0]: end}, after=begin)
        deal(lab.store, 2, after=begin)

        assert names == written(lab)

    @rule("FEED-11")
    def test_event_is_passed_over_on_purpose_only(self, lab: Lab) -> None:
        """A skip needs the error and a reason, moves over this one event, and is shown; it happens once (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 3)
        consumer = lab.store.consume(NAME, fill, kinds=[Site], after=begin)
        with pytest.raises(HandlerFailed) as raised:
            deal(lab.store, 2, fails={names[1]: _raise}, after=begin)
        failure = raised.value
        for wrong in ({"failure": failure, "reason": ""}, {"failure": ValueError(), "reason": "why"}):
            with pytest.raises(InvalidCall):
                consumer.skip(**wrong)
        with pytest.raises(InvalidCall):
            lab.store.consume("other", fill).skip(failure, reason="why")

        lab.open(actor="eve").consume(NAME, fill).skip(failure, reason="no such order")

        with pytest.raises(Conflict):
            consumer.skip(failure, reason="twice")
        deal(lab.store, 1)
        assert [names[0], names[2]] == written(lab)
        (state,) = lab.store.consumers()
        assert [(failure.txid, "no such order", "eve")] == [(one.txid, one.reason, one.actor) for one in state.skipped]

    @rule("FEED-11")
    def test_event_that_is_passed_over_meanwhile_has_no_effect(self, lab: Lab) -> None:
        """A cursor that moves while a function runs refuses its commit, and the consumer goes on there (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 2)
        with pytest.raises(HandlerFailed) as raised:
            deal(lab.store, 1, fails={names[0]: _raise}, after=begin)
        other = lab.open()

        def skip(_: Any) -> None:
            with suppress(Conflict):
                other.consume(NAME, fill).skip(raised.value, reason="meanwhile")

        deal(lab.store, 1, before={names[0]: skip})

        assert [names[1]] == written(lab)

    @rule("FEED-11")
    def test_consumer_that_has_lost_its_lease_writes_nothing(self, lab: Lab) -> None:
        """However late it commits: another one may deal with the event by then (FEED-11)."""
        begin = lab.store.feed_cursor()
        (name,) = create(lab, 1)
        other = lab.open()
        with pytest.raises(LeaseLost):
            deal(lab.store, 1, before={name: lambda _: other.expire(seat_of(NAME).key)}, after=begin)
        assert [] == written(lab)

        consumer = other.consume(NAME, fill, kinds=[Site])
        with other.lease(consumer.seat) as lease:
            with pytest.raises(LeaseHeld), lab.store.lease(consumer.seat):
                pass
            assert 1 == consumer.step(lease, wait=PATIENCE)
        assert [name] == written(lab)

    @rule("FEED-11")
    def test_two_consumers_take_turns(self, lab: Lab) -> None:
        """Whoever has the lease goes on where the other one ended, whatever it has read ahead (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 6)
        pairs = [
            (store, store.consume(NAME, fill, kinds=[Site], after=begin))
            for store in (lab.store, lab.open(), lab.open())
        ]
        for turn in (0, 1, 0, 2, 1):
            store, consumer = pairs[turn]
            with store.lease(consumer.seat) as lease:
                assert 1 == consumer.step(lease, wait=PATIENCE)
        pairs[0][1].run(idle=timedelta(0))

        assert names == written(lab)

    @rule("FEED-11")
    def test_gap_stops_the_consumer_unless_it_begins_anew(self, lab: Lab) -> None:
        """A gap is raised; with ``reset=`` the new cursor is saved with what that builds, as at first (FEED-11)."""
        with lab.bench.lab() as other:
            foreign = other.store.feed_cursor()
        names = create(lab, 2)
        with pytest.raises(FeedGap):
            deal(lab.store, 1, after=foreign)
        assert [] == written(lab)

        deal(lab.store, 0, reset=_reset)
        more = create(lab, 2)
        deal(lab.store, 2, reset=_reset)
        assert ["reset", *more] == written(lab)
        deal(lab.store, 0, name="new", reset=_reset)
        assert ["reset", *more, "reset"] == written(lab)
        assert names

    @rule("FEED-11")
    def test_gap_after_what_was_read_ahead_is_none_where_the_saved_cursor_is_there(self, lab: Lab) -> None:
        """A failover that has forgotten what a consumer read last, and not its cursor, does not stop it (FEED-11)."""

        def forget() -> None:
            raise feed_gap("what follows was forgotten", "later")

        begin = lab.store.feed_cursor()
        names = create(lab, 2)
        consumer = lab.store.consume(NAME, fill, kinds=[Site], after=begin, batch=2)
        with lab.store.lease(consumer.seat) as lease:
            assert 2 == consumer.step(lease, wait=PATIENCE)
            lab.faults.do(Events, forget)
            assert 0 == consumer.step(lease)
            names += create(lab, 1)
            while not consumer.step(lease, wait=PATIENCE):
                pass

        assert names == written(lab)

    @rule("FEED-11")
    def test_reset_that_fails_leaves_the_consumer_where_it_was(self, lab: Lab) -> None:
        """The cursor moves with what ``reset=`` builds, or not at all (FEED-11)."""

        def fail(tx: Any) -> None:
            _reset(tx)
            _raise(tx)

        with pytest.raises(ZeroDivisionError):
            deal(lab.store, 0, reset=fail)

        assert ([], []) == (written(lab), list(lab.store.consumers()))

    @rule("FEED-11")
    def test_failures_are_repeated_as_the_strategy_says(self, lab: Lab) -> None:
        """An event is tried again until it succeeds or the strategy gives up, and no other is told before (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 3)
        tries: list[object] = []

        def fail(tx: Any) -> None:
            tries.append(tx)
            if len(tries) < 4:
                _raise(tx)

        with pytest.raises(HandlerFailed) as raised:
            deal(lab.store, 3, fails={names[1]: fail}, after=begin, retry=FailureRate(1, per="1h"))
        assert (2, 2) == (raised.value.attempts, len(tries))
        deal(lab.store, 2, before={names[1]: fail}, retry=Backoff("0s"))

        assert (names, 4) == (written(lab), len(tries))

    @rule("FEED-11")
    def test_only_what_concerns_it_is_told(self, lab: Lab) -> None:
        """A consumer of kinds, or under a place, gets those; its own cursor is no event (FEED-11)."""
        begin = lab.store.feed_cursor()
        for name in ("p10", "p1"):
            lab.store.create(Crate(parent=lab.store.create(Site(name=name)), name=f"{name}-c"))
        deal(lab.store, 1, after=begin, kinds=[Crate], under=Key("Site", "p1"))
        assert ["p1-c"] == written(lab)
        deal(lab.store, 2, name="crates", after=begin, kinds=["Crate"])
        assert ["p1-c", "p10-c", "p1-c"] == written(lab)

        with lab.store.transaction() as tx:
            tx.emit("orders", 7)
            tx.emit("else", 8)
        messages: list[Any] = []
        consumer = lab.store.consume(
            "topics",
            lambda _, event: messages.extend([*event.changes, *event.messages]),
            topics=["orders"],
            after=begin,
        )
        with lab.store.lease(consumer.seat) as lease:
            # A page of the feed may end before the first message.
            numbers = (consumer.step(lease, wait=PATIENCE) for _ in range(5))
            assert 1 == next(filter(None, numbers), 0)
        assert [("orders", 7)] == [(one.topic, one.body) for one in messages]

        told: list[Event] = []
        everything = lab.store.consume("all", lambda _, event: told.append(event), after=begin)
        everything.run(idle=timedelta(0))
        count = len(told)
        everything.run(idle=timedelta(0))
        seats = {change.key.kind for event in told[count:] for change in event.changes}
        assert seats <= {"emco_Seat"}, "its own commits would be told for ever"

    @rule("FEED-11")
    def test_consumers_are_shown(self, lab: Lab) -> None:
        """Name, cursor and who works are shown; one whose seat is deleted is forgotten and begins anew (FEED-11)."""
        begin = lab.store.feed_cursor()
        names = create(lab, 2)
        assert [] == list(lab.store.consumers())
        deal(lab.store, 2, after=begin)
        deal(lab.store, 0, name="audit")
        with lab.store.lease(seat_of(NAME).name):
            page = lab.store.consumers()
        assert [("audit", Verdict.FREE), (NAME, Verdict.ALIVE)] == [(one.name, one.lease.verdict) for one in page]
        billing = page.items[1]
        last = lab.store.consumers(limit=1)
        assert ["audit"] == [one.name for one in last]
        assert [NAME] == [one.name for one in lab.store.consumers(limit=1, after=last.next)]
        watch = lab.store.watch(after=billing.cursor, kinds=[Site], idle=timedelta(0))
        assert None is next(watch, None)
        assert 0 < billing.number
        with pytest.raises(DeleteRestricted), lab.store.lease(billing.lease.resource):
            lab.store.delete(billing.lease.resource)
        lab.store.delete(billing.lease.resource)
        assert ["audit"] == [one.name for one in lab.store.consumers()]
        deal(lab.store, 2, after=begin)
        assert [*names, *names] == written(lab)

    @rule("FEED-11")
    def test_wrong_arguments_are_refused(self, lab: Lab) -> None:
        """What could not work is refused before anything is asked (FEED-11)."""
        before = len(lab.faults.requests)
        wrong: list[dict[str, Any]] = [
            {"name": ""},
            {"name": "a/b"},
            {"name": 7},
            {"name": "x" * 250},
            {"handler": "fill"},
            {"handler": None},
            {"kinds": Site},
            {"under": Key("Site", "a")},
            {"topics": "orders"},
            {"after": 7},
            {"batch": 0},
            {"batch": 501},
            {"batch": True},
            {"batch": "2"},
            {"retry": 3},
            {"reset": "now"},
            {"seat_ttl": 15},
            {"seat_ttl": timedelta(milliseconds=10)},
            {"seat_ttl": timedelta(days=2)},
        ]
        for options in wrong:
            with pytest.raises(InvalidCall):
                lab.store.consume(**{"name": NAME, "handler": fill, **options})
        consumer = lab.store.consume(NAME, fill)
        for idle in (3, timedelta(-1)):
            with pytest.raises(InvalidCall):
                consumer.run(idle=idle)

        assert before == len(lab.faults.requests)


def fill(tx: Any, event: Event) -> None:
    """Write the name of what an event is about into the daybook."""
    note(tx, event.changes[0].key.name)


def note(tx: Any, text: str) -> None:
    """Write a line into the daybook."""
    key = Key("Daybook", "j")
    old = tx.get(Daybook, "j") if tx.exists(key) else Daybook(name="j")
    tx.put(old.model_copy(update={"entries": [*old.entries, text]}))


def create(lab: Lab, count: int) -> list[str]:
    """Create so many sites, and return their names."""
    begin = len(list(lab.store.list(Site, limit=1000)))
    return [lab.store.create(Site(name=f"s{begin + number}")).name for number in range(count)]


def written(lab: Lab) -> list[str]:
    """Return the lines of the daybook."""
    page = lab.store.list(Daybook)
    return [line for one in page for line in one.entries]


def deal(
    store: Any,
    count: int,
    *,
    name: str = NAME,
    fails: dict[str, Callable[[Any], object]] | None = None,
    before: dict[str, Callable[[Any], object]] | None = None,
    **options: Any,
) -> None:
    """Let a consumer write so many events into the daybook.

    Args:
        store: The store.
        count: How many events; with 0 it looks whether there is one.
        name: The name of the consumer.
        fails: By the name of a site: what is done after it was written.
        before: By the name of a site: what is done before it is written.
        options: Of ``consume``.
    """

    def handle(tx: Any, event: Event) -> None:
        about = event.changes[0].key.name
        (before or {}).get(about, bool)(tx)
        fill(tx, event)
        (fails or {}).get(about, bool)(tx)

    consumer = store.consume(name, handle, **{"kinds": [Site], **options})
    done, looks = 0, 0
    with store.lease(consumer.seat) as lease:
        while done < count or not looks:
            done += consumer.step(lease, wait=PATIENCE if count else timedelta(0))
            looks += 1
            assert looks < 50 * (count + 1)
    assert count == done


def _raise(_: Any) -> None:
    raise ZeroDivisionError


def _reset(tx: Any) -> None:
    note(tx, "reset")
