"""OCC-11: a delete that has lost races holds what it needs, and others wait."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Rack, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import Conflict, DeleteRestricted, MissingReference
from emco_store.flows.context import RetryPolicy
from emco_store.ports import Commit, Get, Held, Hold, Receipt, Refusal, Release

RIVALS = 12
"""How often another client commits in between; more than any delete may need."""
_LONGER = timedelta(seconds=9)
"""A hundredth of it is over when a hold of 100 ms is."""


class HoldRules:
    """Other clients commit just before the delete does."""

    @rule("OCC-11")
    def test_delete_among_creators_needs_two_attempts(self, lab: Lab) -> None:
        """A delete loses one race to a creator, and the next creators wait until it is done (OCC-11)."""
        (a,) = sites(lab, "a")
        key = lab.store.create(Crate(name="c", parent=a)).key
        first = lab.port.ask(Get((key,)))[key]
        replies: list[Receipt | Refusal] = []

        def create() -> None:
            new = replace(first, key=Key("Crate", "a", f"c{len(replies)}"))
            commit = Commit(f"rival-{len(replies)}", {new.key: None}, require=frozenset({a.key}), puts=(new,))
            replies.append(lab.port.ask(commit))

        lab.faults.do(Commit, create, times=RIVALS)
        lab.store.delete(a)

        assert [Receipt("rival-0"), Refusal((Held(a.key),))] == replies
        assert {} == lab.state()

    @rule("OCC-11")
    def test_delete_among_updates_needs_two_attempts(self, lab: Lab) -> None:
        """So does a delete that changes a resource while others keep changing it (OCC-11)."""
        (a,) = sites(lab, "a")
        key = lab.store.create(SetNull(name="n", one=a)).key
        replies: list[Receipt | Refusal] = []

        def update() -> None:
            old = lab.port.ask(Get((key,)))[key]
            new = replace(old, version=old.version + 1)
            replies.append(lab.port.ask(Commit(f"rival-{len(replies)}", {key: old.stamp}, puts=(new,))))

        lab.faults.do(Commit, update, times=RIVALS)
        lab.store.delete(a)

        assert [Receipt("rival-0"), Refusal((Held(key),))] == replies
        assert lab.store.get(key).one is None
        update()
        assert Receipt("rival-2") == replies[-1]

    @rule("OCC-11")
    def test_hold_stops_others_and_not_its_holder(self, lab: Lab) -> None:
        """A held record refuses every commit that rests on it or changes it, except those of its holder (OCC-11)."""
        a, b = sites(lab, "a", "b")
        record = lab.records()["Site/a"]
        lab.port.ask(Hold("me", (a.key, b.key), lasts=timedelta(minutes=10)))
        others = (
            Commit("h-1", {a.key: record.stamp}, puts=(record,)),
            Commit("h-2", {a.key: record.stamp}, deletes=(a.key,)),
            Commit("h-3", {a.key: record.stamp}, deletes=(a.key,), holder="you"),
        )

        for commit in others:
            assert Refusal((Held(a.key),)) == lab.port.ask(commit)
        with pytest.raises(Conflict) as caught, lab.store.transaction() as tx:
            tx.create(Crate(name="c", parent=a))
        assert caught.value.retryable
        assert caught.value.keys == (a.key,)

        assert Receipt("h-4") == lab.port.ask(Commit("h-4", {a.key: record.stamp}, deletes=(a.key,), holder="me"))
        lab.port.ask(Release("you", (b.key,)))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.create(Crate(name="c", parent=b))
        lab.port.ask(Release("me", (a.key, b.key)))
        lab.store.create(Crate(name="c", parent=b))

    @rule("OCC-11")
    def test_hold_disturbs_no_reader_and_nobody_else(self, lab: Lab) -> None:
        """Held records can be read, even in a transaction, and other records can be written (OCC-11)."""
        a, b = sites(lab, "a", "b")
        lab.port.ask(Hold("me", (a.key,), lasts=timedelta(minutes=10)))

        with lab.store.transaction() as tx:
            assert a == tx.get(a)
            assert b == tx.get(b)
        lab.store.create(Rack(name="k", parent=b))

        assert 3 == len(lab.state())

    @rule("OCC-11")
    def test_hold_of_somebody_who_died_ends_by_itself(self, lab: Lab) -> None:
        """A creator waits for a hold that is never released, and continues when it expires (OCC-11).

        A hold that was taken before for less time, and then again for longer, is still there, and so is one that was
        taken before for a time of which this is a small part.
        """
        a, again, longer = sites(lab, "a", "again", "longer")
        begun = time.monotonic()
        lab.port.ask(Hold("me", (longer.key,), lasts=_LONGER))
        lab.port.ask(Hold("me", (again.key,), lasts=timedelta(milliseconds=50)))
        lab.port.ask(Hold("me", (again.key,), lasts=timedelta(minutes=10)))
        lab.port.ask(Hold("dead", (a.key,), lasts=timedelta(milliseconds=100)))

        lab.open(retry=RetryPolicy(deadline_s=10.0)).create(Crate(name="c", parent=a))
        while time.monotonic() - begun < _LONGER.total_seconds() / 90:  # over by now, if the hold has lasted
            assert lab.port.ask(Get((a.key,)))

        assert 4 == len(lab.state())
        assert Refusal((Held(again.key),)) == lab.port.ask(Commit("rival", deletes=(again.key,)))
        is_held = Refusal((Held(longer.key),)) == lab.port.ask(Commit("late", deletes=(longer.key,)))
        assert is_held or time.monotonic() - begun > _LONGER.total_seconds()
        lab.port.ask(Hold("next", (a.key,), lasts=timedelta(minutes=10)))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.create(Crate(name="d", parent=a))

    @rule("OCC-11")
    def test_hold_passes_over_what_others_hold_and_what_is_not_there(self, lab: Lab) -> None:
        """Of two holders the first keeps its hold; a hold creates no record (OCC-11)."""
        a, b = sites(lab, "a", "b")
        lab.port.ask(Hold("me", (a.key,), lasts=timedelta(minutes=10)))
        lab.store.delete(b)
        lab.port.ask(Hold("you", (a.key, b.key), lasts=timedelta(minutes=10)))

        assert ["Site/a"] == list(lab.state())
        lab.store.create(Site(name="b"))
        record = lab.records()["Site/a"]
        assert Refusal((Held(a.key),)) == lab.port.ask(
            Commit("p-1", {a.key: record.stamp}, deletes=(a.key,), holder="you")
        )

    @rule("OCC-11")
    def test_delete_that_meets_another_lets_go_of_what_it_held(self, lab: Lab) -> None:
        """A delete that meets another hold releases its own before it waits, or both would wait (OCC-11)."""
        a, b = sites(lab, "a", "b")
        key = lab.store.create(Crate(name="c", parent=a)).key
        first = lab.port.ask(Get((key,)))[key]
        replies: list[Receipt | Refusal] = []

        def create() -> None:
            new = replace(first, key=Key("Crate", "a", f"c{len(replies)}"))
            commit = Commit(f"rival-{len(replies)}", {new.key: None}, require=frozenset({a.key}), puts=(new,))
            replies.append(lab.port.ask(commit))

        def create_and_hold() -> None:
            create()
            lab.port.ask(Hold("you", (b.key,), lasts=timedelta(minutes=10)))

        def create_and_release() -> None:
            create()
            lab.port.ask(Release("you", (b.key,)))

        for action in (create_and_hold, create, create_and_release):
            lab.faults.do(Commit, action)
        lab.store.delete(a, b)

        assert [Receipt("rival-0"), Refusal((Held(a.key),)), Receipt("rival-2")] == replies
        assert {} == lab.state()

    @rule("OCC-11")
    def test_delete_that_is_refused_gives_back_what_it_held(self, lab: Lab) -> None:
        """A delete that lost a race and then finds a blocker releases its hold (OCC-11)."""
        (a,) = sites(lab, "a")
        rival = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: rival.create(Rack(name="k", parent=a)))

        with pytest.raises(DeleteRestricted):
            lab.store.delete(a)

        assert 1 == lab.faults.count(Hold) == lab.faults.count(Release)
        with lab.store.transaction() as tx:
            tx.create(Rack(name="l", parent=a))

    @rule("OCC-11")
    def test_creator_that_waited_is_told_that_its_parent_is_gone(self, lab: Lab) -> None:
        """A creator that waited gets the answer for the state after the delete (OCC-11)."""
        (a,) = sites(lab, "a")
        lab.port.ask(Hold("me", (a.key,), lasts=timedelta(minutes=10)))
        record = lab.records()["Site/a"]
        commit = Commit("w-1", {a.key: record.stamp}, deletes=(a.key,), holder="me")

        def finish() -> None:
            lab.port.ask(commit)

        lab.faults.do(Commit, lambda: None)
        lab.faults.do(Commit, finish)

        with pytest.raises(MissingReference):
            lab.store.create(Crate(name="c", parent=a))
