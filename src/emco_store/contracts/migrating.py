"""MIG-4 to MIG-6: migrations, what they leave, and what stays true while they run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.checks import checked
from emco_store.contracts.content_races import MOST, before_request
from emco_store.contracts.crash_points import die, lose
from emco_store.contracts.evolving import BERTH, HULL, STAMP, release, stamp
from emco_store.contracts.faults import ClientDied, points_around
from emco_store.contracts.harness import Lab
from emco_store.contracts.interleavings import check_integrity
from emco_store.contracts.migration_models import (
    Berth,
    Deed1,
    Deed2,
    Deed3,
    Deed3Life,
    DeedLife,
    Hull1,
    Hull2,
    Hull3,
    Hull4,
    HullView,
)
from emco_store.contracts.rules import rule
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.migrations import Migrated
from emco_store.core.query import F
from emco_store.errors import DeleteRestricted, InvalidCall, StoreError, TransitionRefused
from emco_store.ports import Commit, Request

NAMES = ("h1", "h2", "h3", "h4")
_TURNS_FOR_A_PAIR = 1
"""A pair of transactions takes as long as so many migrations with what comes between."""


def begin(store: Any) -> None:
    """Create resources of the first version."""
    with store.transaction() as tx:
        tx.create(Berth(name="b"))
        for at, name in enumerate(NAMES):
            tx.create(Hull1(name=name, region="eu", cargo=f"tea{at} {at}", berth=BERTH if name == "h4" else None))


def documents(lab: Lab) -> dict[str, Any]:
    """Return the documents of all resources of the kind."""
    return {text: decode(one.document) for text, one in lab.records().items() if one.key.kind == "Hull"}


class MigratingRules:
    """What a migration does, alone and beside others."""

    @rule("MIG-4")
    def test_migration_writes_everything_in_the_newest_form(self, lab: Lab) -> None:
        """For every size of a page, each resource is written once, with all that follows from its model (MIG-4)."""
        old, store = release(lab, Hull1), release(lab, Hull4)
        for batch in (3, 100):
            lab.wipe()
            begin(old)
            before = {key: (one.uid, one.created_us) for key, one in lab.records().items()}
            seen: list[Migrated] = []

            done = store.migrate(Hull4, batch=batch, progress=seen.append)

            assert (4, 4, 0, (), None) == (done.read, done.written, done.left_count, done.left, done.next)
            assert (done, sorted(one.read for one in seen)) == (seen[-1], [one.read for one in seen])
            found = lab.records()
            assert before == {key: (one.uid, one.created_us) for key, one in found.items()}
            assert [2] * 4 == [one.version for one in found.values() if one.key.kind == "Hull"]
            assert [[4, 4]] * 4 == [document.get(STAMP) for document in documents(lab).values()]
            assert ["h1", "h2", "h3", "h4"] == [one.name for one in store.list(Hull4, where=F.zone == "eu")]
            with pytest.raises(DeleteRestricted):
                lab.open().delete(BERTH)
            assert [] == checked(store)

            assert (4, 0) == (store.migrate(Hull4).read, store.migrate(Hull4).written)
            assert found == lab.records()

    @rule("MIG-4")
    def test_migration_records_new_indexes_where_documents_stay(self, lab: Lab) -> None:
        """A new index needs a migration and no version, and older programs go on (MIG-4)."""
        old, new = release(lab, Deed1), release(lab, Deed2)
        made = old.create(Deed1(name="d", text="x"))
        assert [] == list(new.list(Deed2, where=F.text == "x"))

        assert 1 == new.migrate(Deed2).written

        assert ["d"] == [one.name for one in new.list(Deed2, where=F.text == "x")]
        assert (None, "x") == (stamp(lab, made.key), old.get(Deed1, "d").text)

    @rule("MIG-4", "MIG-5")
    def test_migration_leaves_what_it_cannot_write_as_its_plan_says(self, lab: Lab) -> None:
        """The plan writes nothing and names what will be left; the others are written, page by page (MIG-4, MIG-5)."""
        old, store = release(lab, Hull1), release(lab, Hull3)
        begin(old)
        lab.tamper(Key("Hull", "h2"), b'{"name":"h2","region":7}')
        lab.tamper(Key("Hull", "h3"), b'{"name":"h3","berth":"Berth/none"}')
        release(lab, Hull4).create(Hull4(name="h5"))
        release(lab, Hull2).create(Hull2(name="h6", decks=2))
        expected = [("Hull/h2", "INVALID-RESOURCE"), ("Hull/h3", "REF-MISSING"), ("Hull/h5", "NEWER-MODEL")]
        for batch in (1, 3):
            before = lab.records()

            plan = store.plan_migrate(Hull3)

            assert before == lab.records()
            assert expected == [(one.key.text, one.code) for one in plan.left]
            versions = {1: 4, 2: 1, 4: 1} if batch == 1 else {1: 2, 3: 3, 4: 1}
            assert (6, 3, versions) == (plan.read, plan.left_count, plan.versions)
            done = store.migrate(Hull3, batch=batch)
            assert expected == [(one.key.text, one.code) for one in done.left]
            assert (6, plan.writes, 3) == (done.read, done.written, done.left_count)
            assert (3 if batch == 1 else 0) == plan.writes
        assert ["eu", "", "eu", ""] == [one.zone for one in store.list(Hull3).resources]

    @rule("MIG-4", "MIG-5", "ID-6")
    def test_unique_value_that_two_would_have_is_left(self, lab: Lab) -> None:
        """Of two resources with one unique value, the migration writes the first one, as the plan says (MIG-5)."""
        old, store = release(lab, Hull1), release(lab, Hull4)
        for name, cargo in (("h1", "tea 1"), ("h2", "tea 2"), ("h3", "rum 3")):
            old.create(Hull1(name=name, cargo=cargo))

        plan, done = store.plan_migrate(Hull4), store.migrate(Hull4)

        for result in (plan, done):
            assert [("Hull/h2", "UNIQUE")] == [(one.key.text, one.code) for one in result.left]
        assert (2, 2) == (plan.writes, done.written)
        old.patch(Key("Hull", "h2"), {"cargo": "oil 2"})
        assert (1, 0) == (store.migrate(Hull4).written, store.plan_migrate(Hull4).left_count)

    @rule("MIG-4", "MIG-5", "LIF-7")
    def test_frozen_field_that_a_step_renames_is_left(self, lab: Lab) -> None:
        """What a state freezes, no migration writes under another name, until the state has changed (MIG-4, LIF-7)."""
        old, new = release(lab, Deed1), release(lab, Deed3)
        for name in ("d1", "d2"):
            deed = old.create(Deed1(name=name, text="x"))
        old.transition(deed, DeedLife.sign, digest=old.digest(deed))
        old.transition(deed, DeedLife.hold)

        plan, done = new.plan_migrate(Deed3), new.migrate(Deed3)

        for result in (plan, done):
            assert [("Deed/d2", "STATE")] == [(one.key.text, one.code) for one in result.left]
        assert "x" == new.get(Deed3, "d2").words
        new.transition(deed.key, Deed3Life.release)
        assert (1, 0) == (new.migrate(Deed3).written, new.plan_migrate(Deed3).left_count)

    @rule("MIG-6", "LIF-11")
    def test_reading_changes_no_digest_and_a_new_form_does(self, lab: Lab) -> None:
        """An approval holds while newer programs only read, or record an index; a new form ends it (MIG-6)."""
        old, second, third = (release(lab, model) for model in (Deed1, Deed2, Deed3))
        deed = old.create(Deed1(name="d", text="x"))
        digest = old.digest(deed)
        old.transition(deed, DeedLife.sign, digest=digest)
        held = deed.key

        second.migrate(Deed2)
        assert "x" == third.get(Deed3, "d").words
        assert {digest} == {store.digest(held) for store in (old, second, third)}
        third.transition(held, Deed3Life.hold)
        third.transition(held, Deed3Life.release)
        third.transition(held, Deed3Life.sign, digest=digest)

        assert 1 == third.migrate(Deed3).written
        assert digest != third.digest(held)
        with pytest.raises(TransitionRefused):
            third.transition(held, Deed3Life.hold)
        third.transition(held, Deed3Life.sign, digest=third.digest(held))
        third.transition(held, Deed3Life.hold)

    @rule("MIG-4")
    def test_migration_against_every_change(self, lab: Lab) -> None:
        """Whatever others write before any request of a migration, it ends, and nothing of theirs is lost (MIG-4)."""
        old, new = release(lab, Hull1), release(lab, Hull4)
        step = lab.bench.harness.every(_TURNS_FOR_A_PAIR)
        for lane, name in enumerate(_changes(old, new)):
            for at in range(lane % step, MOST + step, step):
                lab.wipe()
                begin(old)
                other, change, shown = _changes(old, new)[name]
                acknowledged: list[str] = []
                came = before_request(lab, at, partial(_try, partial(change, lab.inside(other)), acknowledged, name))
                new.migrate(Hull4, batch=2)
                lab.faults.clear()
                self._check(lab, new, (name, at), shown if acknowledged else {})
                if not came:
                    break
            else:
                raise AssertionError(name)

    def _check(self, lab: Lab, new: Any, where: Any, shown: Mapping[str, Any]) -> None:
        """Assert that nothing is lost, and that one more migration makes all current and then finds nothing to do."""
        expected: dict[str, Any] = {name: ("eu", f"tea{at}", at) for at, name in enumerate(NAMES)} | dict(shown)
        found = {one.name: (one.zone, one.goods, one.tons) for one in new.list(Hull4)}
        assert {name: value for name, value in expected.items() if value} == found, where
        check_integrity(lab, lab.records())
        assert new.migrate(Hull4, batch=3).written <= 1, where
        assert [[4, 4]] * len(found) == [document.get(STAMP) for document in documents(lab).values()], where
        assert 0 == new.migrate(Hull4).written
        assert found == {one.name: (one.zone, one.goods, one.tons) for one in new.list(Hull4)}, where

    @rule("MIG-4", "ATM-1", "ATM-4")
    def test_migration_that_ends_anywhere_goes_on(self, lab: Lab) -> None:
        """Wherever a client dies or an answer is lost, each resource is written once, by whoever goes on (MIG-4)."""
        old, new = release(lab, Hull1), release(lab, Hull4)
        begin(old)
        lab.faults.clear()
        new.migrate(Hull4, batch=2)
        requests: list[type[Request[Any]]] = [type(request) for request in lab.faults.requests]
        whole = documents(lab)

        for kind, earlier, moment in points_around(requests, lab.bench.harness.every(_TURNS_FOR_A_PAIR)):
            for act in (die, lose) if kind is Commit else (die,):
                lab.faults.clear()
                lab.wipe()
                begin(old)
                lab.faults.clear()
                if earlier:
                    lab.faults.do(kind, lambda: None, moment=moment, times=earlier)
                lab.faults.do(kind, act, moment=moment)
                seen: list[Migrated] = []
                try:
                    new.migrate(Hull4, batch=2, progress=seen.append)
                except ClientDied:
                    assert act is die
                lab.faults.clear()
                heir = release(lab, Hull4)
                assert 4 == len(heir.list(Hull4))
                if seen and seen[-1].next:
                    heir.migrate(Hull4, after=seen[-1].next, batch=1)
                heir.migrate(Hull4, batch=1)
                assert whole == documents(lab)
                assert {2} == {one.version for one in lab.records().values() if one.key.kind == "Hull"}

    @rule("MIG-4", "BAD-7")
    def test_migration_that_could_not_be_right_is_refused(self, lab: Lab) -> None:
        """A view, no model, a cursor of something else and an impossible size are refused before anything (MIG-4)."""
        store = release(lab, Hull4)
        release(lab, Hull1).create(Hull1(name=HULL.name))
        lab.faults.clear()

        attempt: Callable[[], Any]
        for attempt in (
            lambda: release(lab, HullView).migrate(HullView), lambda: store.migrate("Hull"),
            lambda: store.migrate(Hull4, after="x"), lambda: store.migrate(Hull4, batch=0),
            lambda: store.migrate(Hull4, batch=1001), lambda: store.migrate(Hull4, batch=True),
            lambda: store.plan_migrate(None),
        ):  # fmt: skip
            with pytest.raises(InvalidCall):
                attempt()
        assert [] == lab.faults.requests


Change = tuple[Any, Callable[[Any], Any], Mapping[str, Any]]
"""Who makes it, the call, and what it makes of the resources that it is about; None for one that is gone."""


def _changes(old: Any, new: Any) -> dict[str, Change]:
    """Return changes by older and newer programs, prepared so that each is a single call."""
    second = next((one for one in old.list(Hull1).resources if one.name == "h2"), None)
    moved = second and second.model_copy(update={"region": "us"})
    return {
        "update by an older program": (old, lambda one: one.update(moved), {"h2": ("us", "tea1", 1)}),
        "put by an older program": (old, lambda one: one.put(Hull1(name="h3", region="us")), {"h3": ("us", None, 0)}),
        "put by a newer program": (new, lambda one: one.put(Hull4(name="h3", zone="us")), {"h3": ("us", None, 0)}),
        "patch by a newer program": (
            new, lambda one: one.patch(Key("Hull", "h4"), {"tons": 9}), {"h4": ("eu", "tea3", 9)}
        ),
        "delete": (old, lambda one: one.delete(Key("Hull", "h2")), {"h2": None}),
        "delete of a target": (old, lambda one: one.delete(BERTH), {}),
        "create before": (old, lambda one: one.create(Hull1(name="h0")), {"h0": ("", None, 0)}),
        "create behind": (old, lambda one: one.create(Hull1(name="h9")), {"h9": ("", None, 0)}),
    }  # fmt: skip


def _try(call: Callable[[], Any], acknowledged: list[str], name: str) -> Any:
    """Make a call that may be refused; take note where it was not."""
    try:
        result = call()
    except StoreError:
        return None
    if inspect.isawaitable(result):
        return _awaited(result, acknowledged, name)
    acknowledged.append(name)
    return None


async def _awaited(result: Any, acknowledged: list[str], name: str) -> None:
    try:
        await result
    except StoreError:
        return
    acknowledged.append(name)
