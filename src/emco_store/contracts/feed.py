"""FEED-1 to FEED-8: the feed of a backend, each commit once and in order, or a clear gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from emco_store.contracts.fences import KEY, asks, lease
from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.events import Action, Event, RecordChange
from emco_store.core.keys import Key
from emco_store.core.origins import Origin
from emco_store.core.pulses import Heartbeat, Seen
from emco_store.core.records import Record, Stamp
from emco_store.errors import FeedGap, InvalidCall
from emco_store.ports import (
    Audit,
    Beat,
    Commit,
    Events,
    Get,
    Hold,
    Outcome,
    Receipt,
    Refusal,
    Release,
    Settle,
)  # fmt: skip

A, B, C, D = (Key("Site", name) for name in "abcd")
_HOUR = timedelta(hours=1)
_PATIENCE = timedelta(seconds=10)
_MANY = 150
"""How long a reader waits for an event that will come; no test that passes waits so long."""
_WRITERS = 6
_ROUNDS = 8


class FeedRules:
    """The port itself: what the feed tells of commits, and how it is read."""

    @rule("FEED-1")
    def test_commit_is_one_event_with_all_its_changes(self, lab: Lab) -> None:
        """An event names the commit, whose it is, and each record that was created, updated or deleted (FEED-1)."""
        begin = now(lab)
        who = Origin("eve", "CHG-7: rename \u00fc\n", "op-1")
        lab.ask(Commit("one", {A: None, B: None}, puts=(site(A), site(B)), origin=who))
        lab.ask(
            Commit(
                "two",
                {A: Stamp("u-a", 1), B: Stamp("u-b", 1), C: None},
                frozenset({A}),
                puts=(site(A, 2), site(C)),
                deletes=(B,),
                origin=Origin("eve"),
            )
        )
        lab.ask(Commit("three", {A: Stamp("u-a", 2)}, deletes=(A,), origin=who))

        one, two, three = told(lab, begin, 3)
        assert ["one", "two", "three"] == [one.txid, two.txid, three.txid]
        assert [who, Origin("eve"), who] == [one.origin, two.origin, three.origin]
        assert (created(A), created(B)) == one.changes
        assert (deleted(B), RecordChange(Action.UPDATED, A, "u-a", 2), created(C)) == two.changes
        assert (deleted(A, 2),) == three.changes

    @rule("FEED-1")
    def test_record_that_takes_the_place_of_another_is_told_with_the_end_of_the_other(self, lab: Lab) -> None:
        """A namesake in the same commit has another uid, so the one is deleted and the other created (FEED-1)."""
        begin = now(lab)
        lab.ask(Commit("one", {A: None}, puts=(site(A),)))
        lab.ask(Commit("two", {A: Stamp("u-a", 1)}, puts=(replace(site(A), uid="other"),)))

        _, two = told(lab, begin, 2)
        assert (deleted(A), RecordChange(Action.CREATED, A, "other", 1)) == two.changes

    @rule("FEED-1")
    def test_commit_of_many_records_is_one_event(self, lab: Lab) -> None:
        """However many records a commit writes or deletes, its event tells each of them (FEED-1)."""
        begin = now(lab)
        keys = tuple([Key("Site", f"n{at:03}") for at in range(_MANY)])
        lab.ask(Commit("many", dict.fromkeys(keys), puts=tuple(map(site, keys))))
        lab.ask(Commit("gone", {key: Stamp(f"u-{key.name}", 1) for key in keys}, deletes=keys))

        many, gone = told(lab, begin, 2)
        assert tuple(map(created, keys)) == many.changes
        assert tuple(map(deleted, keys)) == gone.changes

    @rule("FEED-1", "FEED-8")
    def test_commit_that_did_not_happen_or_writes_nothing_is_no_event(self, lab: Lab) -> None:
        """Refused commits, those that only check, and repeats of one txid tell nothing (FEED-1, FEED-8)."""
        begin = now(lab)
        one = Commit("one", {A: None}, puts=(site(A),))
        assert Receipt("one") == lab.ask(one)
        refused = Commit("refused", {A: None, B: None}, puts=(site(A, 2), site(B)))
        assert isinstance(lab.ask(refused), Refusal)
        lab.ask(Settle("fenced"))
        assert isinstance(lab.ask(Commit("fenced", {B: None}, puts=(site(B),))), Refusal)
        assert Receipt("checks") == lab.ask(Commit("checks", {A: Stamp("u-a", 1)}))
        assert Receipt("one") == lab.ask(one)

        assert ["one", "end"] == [event.txid for event in told_until_end(lab, begin)]

    @rule("FEED-2")
    def test_events_follow_each_other_as_commits_do(self, lab: Lab) -> None:
        """What is committed after an acknowledgement is told after it, whatever the ids say (FEED-2)."""
        begin = now(lab)
        txids = [f"{99 - number}-{number}" for number in range(12)]
        for number, txid in enumerate(txids):
            key = Key("Site", f"s{number}")
            lab.ask(Commit(txid, {key: None}, puts=(site(key),)))

        assert txids == [event.txid for event in told(lab, begin, len(txids))]

    @rule("FEED-2")
    def test_versions_ascend_without_a_gap_among_many_writers(self, lab: Lab) -> None:
        """Of commits that race for two records, the feed tells each version of each record once, in order (FEED-2)."""
        lab.ask(Commit("begin", {A: None, B: None}, puts=(site(A), site(B))))
        begin = now(lab)
        port = lab.port_of_mode
        acknowledged: list[str] = []
        for turn in range(_ROUNDS):
            found = lab.ask(Get((A, B)))
            commits = [
                Commit(
                    f"{turn}-{writer}",
                    {key: found[key].stamp for key in keys},
                    puts=tuple(site(key, found[key].version + 1) for key in keys),
                )
                for writer in range(_WRITERS)
                for keys in ([(A,), (B,), (A, B)][writer % 3],)
            ]
            replies = lab.together([asks(port, commit) for commit in commits])
            acknowledged += [reply.txid for reply in replies if isinstance(reply, Receipt)]

        events = told_until_end(lab, begin)
        assert {*acknowledged, "end"} == {event.txid for event in events}
        assert len(acknowledged) + 1 == len(events)
        for key, record in lab.ask(Get((A, B))).items():
            versions = [change.version for event in events for change in event.changes if change.key == key]
            assert list(range(2, record.version + 1)) == versions

    @rule("FEED-3")
    def test_every_event_comes_once_after_each_cursor_and_in_pages(self, lab: Lab) -> None:
        """Whatever the size of the pages, and after whichever event a reader begins, nothing is left out (FEED-3)."""
        begin = now(lab)
        txids = [write(lab, number) for number in range(9)]
        events = told(lab, begin, len(txids))

        assert txids == [event.txid for event in events]
        assert len(txids) == len({event.cursor for event in events})
        for limit in (1, 2, 4):
            assert events == told(lab, begin, len(txids), limit=limit)
        for at, event in enumerate(events[:-1]):
            assert events[at + 1 :] == told(lab, event.cursor, len(events) - at - 1)

    @rule("FEED-3")
    def test_reader_that_waits_gets_what_is_committed_meanwhile(self, lab: Lab) -> None:
        """Readers that wait, and that wait for different places, are woken by the commit (FEED-3)."""
        begin = now(lab)
        write(lab, 0)
        (first,) = told(lab, begin, 1)
        port = lab.port_of_mode
        waiting = Events(first.cursor, wait=_PATIENCE)
        commit = Commit("meanwhile", {A: None}, puts=(site(A),))

        *pages, early, receipt = lab.together(
            [*[asks(port, waiting)] * 3, asks(port, Events(begin, wait=_PATIENCE)), asks(port, commit)]
        )

        assert Receipt("meanwhile") == receipt
        assert [["meanwhile"]] * 3 == [[event.txid for event in page.events] for page in pages]
        assert first == early.events[0]

    @rule("FEED-3", "FEED-4")
    def test_cursor_of_another_feed_is_a_gap(self, lab: Lab) -> None:
        """A cursor of another namespace names no event of this one, whether it has as many or not (FEED-3, FEED-4)."""
        with lab.bench.lab() as other:
            begins = now(lab), now(other)
            for each in (lab, other):
                write(each, 0)
                write(each, 1)
            (foreign, _), (_, own) = told(other, begins[1], 2), told(lab, begins[0], 2)

            for cursor in (foreign.cursor, begins[1]):
                with pytest.raises(FeedGap) as caught:
                    lab.ask(Events(cursor, wait=_PATIENCE))
                assert cursor == caught.value.cursor
            assert () == lab.ask(Events(own.cursor)).events

    @rule("FEED-4")
    def test_text_that_is_no_cursor_is_refused(self, lab: Lab) -> None:
        """What no feed has given is a wrong call (FEED-4)."""
        now(lab)
        for text in ("", "7", "x.y", "0-1", "\u0663.x", "{}", "-1.begun"):
            with pytest.raises(InvalidCall):
                lab.ask(Events(text))

    @rule("FEED-5")
    def test_every_kind_is_told(self, lab: Lab) -> None:
        """Nobody has met a model of these kinds, and records of the store's own are told as well (FEED-5)."""
        begin = now(lab)
        keys = (Key("Site", "a"), Key("NeverMet", "a", "b"), KEY)
        lab.ask(Commit("one", dict.fromkeys(keys), puts=tuple(map(site, keys))))

        (event,) = told(lab, begin, 1)
        assert keys == tuple(change.key for change in event.changes)

    @rule("FEED-6")
    def test_reader_that_falls_behind_delays_nobody(self, lab: Lab) -> None:
        """Commits go on while a reader stays where it is; what the feed keeps is there when it returns (FEED-6)."""
        begin = now(lab)
        write(lab, 0)
        (first,) = told(lab, begin, 1)
        txids = [write(lab, number) for number in range(1, 40)]

        assert txids == [event.txid for event in told(lab, first.cursor, len(txids), limit=7)]

    @rule("FEED-7")
    def test_cursor_of_a_page_is_where_it_ends(self, lab: Lab) -> None:
        """The cursor of a page goes on with its last event; that of an empty page leaves nothing out (FEED-7)."""
        begin = now(lab)
        empty = lab.ask(Events(begin))
        txids = [write(lab, number) for number in range(3)]

        assert () == empty.events
        first, *_ = events = told(lab, empty.cursor, 3)
        assert txids == [event.txid for event in events]
        page = lab.ask(Events(begin, limit=1, wait=_PATIENCE))
        assert (first,) == page.events
        assert first.cursor == page.cursor
        assert events[1:] == told(lab, page.cursor, 2)
        later = lab.ask(Events(events[-1].cursor))
        txid = write(lab, 3)
        assert [txid] == [event.txid for event in told(lab, later.cursor, 1)]

    @rule("FEED-7")
    def test_now_is_after_everything_that_was_told(self, lab: Lab) -> None:
        """A reader without a cursor begins with what is committed from now on, and gets no events before (FEED-7)."""
        begin = now(lab)
        write(lab, 0)
        told(lab, begin, 1)
        page = lab.ask(Events())
        txid = write(lab, 1)

        assert () == page.events
        assert [txid] == [event.txid for event in told(lab, page.cursor, 1)]

    @rule("FEED-8")
    def test_what_changes_no_record_is_no_event(self, lab: Lab) -> None:
        """Beats, holds, settlements, checks and ends of mere pulses are not told (FEED-8)."""
        lab.ask(Commit("begin", {KEY: None, A: None}, puts=(lease("u1"), site(A))))
        begin = now(lab)
        lab.ask(Beat({"u1": Heartbeat(KEY, 1, _HOUR), "dead": Heartbeat(KEY, 1, _HOUR)}))
        lab.ask(Beat({"u1": Heartbeat(KEY, 2, _HOUR)}))
        lab.ask(Hold("somebody", (A,)))
        lab.ask(Release("somebody", (A,)))
        assert Outcome.ABORTED == lab.ask(Settle("never"))
        assert Receipt("silent") == lab.ask(Commit("silent", silent={KEY: Seen("dead", 1)}))
        lab.ask(Audit())

        assert ["end"] == [event.txid for event in told_until_end(lab, begin)]


def now(lab: Lab) -> str:
    """Return the cursor after which everything is told that is committed from now on."""
    cursor: str = lab.ask(Events()).cursor
    return cursor


def told(lab: Lab, after: str, count: int, *, limit: int = 1000) -> list[Event]:
    """Read so many events, page by page, and see that none follows that has been told already."""
    found: list[Event] = []
    while len(found) < count:
        page = lab.ask(Events(after, limit=limit, wait=_PATIENCE))
        assert 0 < len(page.events) <= limit
        found += page.events
        after = page.cursor
    assert count == len(found)
    return found


def told_until_end(lab: Lab, after: str) -> Sequence[Event]:
    """Commit once more, and read until that is told."""
    lab.ask(Commit("end", {D: None}, puts=(site(D),)))
    found: list[Event] = []
    while not found or found[-1].txid != "end":
        page = lab.ask(Events(after, wait=_PATIENCE))
        assert page.events
        found += page.events
        after = page.cursor
    return found


def write(lab: Lab, number: int) -> str:
    """Commit one record that is new, and return the id of the commit."""
    key = Key("Site", f"n{number}")
    txid = f"{lab.namespace}-{number}"  # as those of stores, none occurs in two namespaces
    assert Receipt(txid) == lab.ask(Commit(txid, {key: None}, puts=(site(key),)))
    return txid


def site(key: Key, version: int = 1) -> Record:
    """Return a record."""
    return Record(key, f"u-{key.name}", version, b"{}", (), (), (), 1, 1)


def created(key: Key) -> RecordChange:
    """Return how the feed tells of a new record."""
    return RecordChange(Action.CREATED, key, f"u-{key.name}", 1)


def deleted(key: Key, version: int = 1) -> RecordChange:
    """Return how the feed tells of a record that is gone."""
    return RecordChange(Action.DELETED, key, f"u-{key.name}", version)
