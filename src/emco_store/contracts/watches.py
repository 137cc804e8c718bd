"""FEED-9, and the feed as a store tells it: what a watcher of resources sees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.lease_models import Runner
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle
from emco_store.contracts.models import Crate, Parcel, Site
from emco_store.contracts.rules import rule
from emco_store.contracts.status_scripts import Pump, PumpFlow
from emco_store.core.events import Action, Aspect, Event
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.errors import FeedGap, InvalidCall

_PATIENCE = timedelta(seconds=10)
"""How long a reader waits for an event that will come; no test that passes waits so long."""


class WatchRules:
    """What ``store.watch`` tells."""

    @rule("FEED-1", "FEED-5")
    def test_watch_tells_calls_with_who_made_them_and_why(self, lab: Lab) -> None:
        """All writes by any store are told, also of kinds of which the watcher has no model (FEED-1, FEED-5)."""
        watcher = lab.open()
        begin = watcher.feed_cursor()
        other = lab.open(actor="eve")
        site = other.create(Site(name="a"))
        with other.acting(reason="CHG-7", operation="op-1"):
            other.update(site.model_copy(update={"title": "x"}))
            other.delete(Key("Site", "a"))

        events = seen(watcher, begin, 3)
        assert [("eve", "", ""), ("eve", "CHG-7", "op-1"), ("eve", "CHG-7", "op-1")] == [one.origin for one in events]
        assert [
            (Action.CREATED, site.key, site.meta.uid, 1),
            (Action.UPDATED, site.key, site.meta.uid, 2),
            (Action.DELETED, site.key, site.meta.uid, 2),
        ] == [(one.action, one.key, one.uid, one.version) for event in events for one in event.changes]

    @rule("FEED-1")
    def test_transaction_with_a_cascade_is_one_event(self, lab: Lab) -> None:
        """All that a commit has done stands in one event, what its rules have done included (FEED-1)."""
        site = lab.store.create(Site(name="a"))
        crate = lab.store.create(Crate(parent=site, name="b"))
        parcel = lab.store.create(Parcel(parent=crate, name="c"))
        begin = lab.store.feed_cursor()
        with lab.store.transaction() as tx:
            tx.create(Site(name="new"))
            tx.delete(site)

        (event,) = seen(lab.store, begin, 1)
        assert {
            (Action.DELETED, site.key),
            (Action.DELETED, crate.key),
            (Action.DELETED, parcel.key),
            (Action.CREATED, Key("Site", "new")),
        } == {(one.action, one.key) for one in event.changes}
        assert 4 == len(event.changes)

    @rule("FEED-3")
    def test_watch_continues_after_each_event(self, lab: Lab) -> None:
        """Whichever event was dealt with last, a later watch begins with the one that follows it (FEED-3)."""
        begin = lab.store.feed_cursor()
        keys = [lab.store.create(Site(name=f"s{number}")).key for number in range(5)]
        events = seen(lab.store, begin, 5)

        assert [[key] for key in keys] == [[one.key for one in event.changes] for event in events]
        watch = lab.store.watch(after=begin, idle=_PATIENCE)
        for number, event in enumerate(events):
            assert event == next(watch, None)
            assert event.cursor == watch.cursor
            assert list(events[number + 1 :]) == seen(lab.open(), event.cursor, 4 - number)

    @rule("FEED-3")
    def test_watch_after_a_cursor_of_another_namespace_is_a_gap(self, lab: Lab) -> None:
        """The caller gets one clear error, and may watch from now (FEED-3)."""
        with lab.bench.lab() as other:
            begins = lab.store.feed_cursor(), other.store.feed_cursor()
            for each, begin in zip((lab, other), begins, strict=True):
                each.store.create(Site(name="a"))
                assert 1 == len(seen(each.store, begin, 1))
            (foreign,) = seen(other.store, begins[1], 1)

            with pytest.raises(FeedGap):
                next(lab.store.watch(after=foreign.cursor, idle=_PATIENCE))

    @rule("FEED-7")
    def test_watch_moves_on_though_nothing_concerns_it(self, lab: Lab) -> None:
        """What others do moves the cursor of a watcher of other kinds, which then misses nothing (FEED-7)."""
        begin = lab.store.feed_cursor()
        for number in range(3):
            lab.store.create(Site(name=f"s{number}"))
        seen(lab.store, begin, 3)
        watch = lab.store.watch(after=begin, kinds=[Crate], idle=timedelta(0))

        assert None is next(watch, None)
        assert begin != watch.cursor
        crate = lab.store.create(Crate(parent=Key("Site", "s0"), name="c"))
        (event,) = seen(lab.store, watch.cursor, 1)
        assert [crate.key] == [one.key for one in event.changes]

    @rule("FEED-9")
    def test_kinds_and_place_choose_what_is_told(self, lab: Lab) -> None:
        """Of a commit, a watcher sees its kinds, under its resource and not under a namesake (FEED-9)."""
        begin = lab.store.feed_cursor()
        with lab.store.transaction() as tx:
            for name in ("p1", "p10"):
                site = tx.create(Site(name=name))
                crate = tx.create(Crate(parent=site, name="b"))
                tx.create(Parcel(parent=crate, name="c"))
        lab.store.create(Site(name="p2"))
        everything = seen(lab.store, begin, 2)

        assert [6, 1] == [len(event.changes) for event in everything]
        site = Key("Site", "p1")
        assert [{"Crate/p1/b", "Parcel/p1/b/c"}] == _keys(lab, begin, kinds=[Crate, "Parcel"], under=site)
        assert [{"Parcel/p1/b/c", "Parcel/p10/b/c"}] == _keys(lab, begin, kinds=[Parcel])
        assert [{"Site/p1", "Site/p10"}, {"Site/p2"}] == _keys(lab, begin, kinds=["Site"])

    @rule("FEED-9")
    def test_state_status_and_lease_are_told_as_changes_of_the_resource(self, lab: Lab) -> None:
        """A watcher sees transitions, reports and leases, and no record of the store's own (FEED-9)."""
        begin = lab.store.feed_cursor()
        cloud = lab.store.create(Cloud(name="c"))
        lab.store.transition(cloud, CloudLifecycle.launch)
        pump = lab.store.create(Pump(name="p"))
        sensor = lab.open(actor="sensor")
        sensor.set_status(PumpFlow(parent=pump, litres=1), observed=pump)
        with lab.store.lease(Runner(name="r", zone="eu")):
            pass
        lab.store.create(Site(name="end"))

        events = list(_all(lab.store, begin))
        told = [(one.aspect, one.action, one.key) for event in events for one in event.changes]
        runner = Key("Runner", "r")
        assert (Aspect.RESOURCE, Action.CREATED, cloud.key) == told[0]
        assert {one for one in told if one[2] == pump.key} == {
            (Aspect.RESOURCE, Action.CREATED, pump.key),
            (Aspect.STATUS, Action.CREATED, pump.key),
        }
        assert Aspect.STATE in {one[0] for one in told if one[2] == cloud.key}
        assert [
            (Aspect.RESOURCE, Action.CREATED),
            (Aspect.LEASE, Action.CREATED),
            (Aspect.LEASE, Action.DELETED),
        ] == sorted([one[:2] for one in told if one[2] == runner], key=lambda one: (one[1], one[0] != "resource"))
        assert {"Cloud", "Pump", "Runner"} == {key.kind for _, _, key in told}
        only = list(_all(lab.store, begin, kinds=[Pump, Site]))
        assert {pump.key} == {one.key for event in only for one in event.changes}

    @rule("FEED-9")
    def test_load_reads_what_is_there(self, lab: Lab) -> None:
        """With ``load`` an event has the resources as they are now; those that are gone are left out (FEED-9)."""
        begin = lab.store.feed_cursor()
        site, gone = lab.store.create(Site(name="a")), lab.store.create(Site(name="gone"))
        site = lab.store.update(site.model_copy(update={"title": "now"}))
        lab.store.delete(gone)
        assert [{}] * 4 == [dict(event.resources) for event in seen(lab.store, begin, 4)]

        events = seen(lab.store, begin, 4, load=True)
        assert [{site.key: site}, {}, {site.key: site}, {}] == [dict(event.resources) for event in events]

    @rule("FEED-9")
    def test_wrong_arguments_are_refused(self, lab: Lab) -> None:
        """What could not be watched is refused before anything is asked (FEED-9)."""
        site = lab.store.create(Site(name="a"))
        before = len(lab.faults.requests)
        wrong: list[dict[str, Any]] = [
            {"kinds": Site},
            {"kinds": "Site"},
            {"kinds": []},
            {"kinds": [Resource]},
            {"kinds": [7]},
            {"kinds": ["emco__Lease"]},
            {"kinds": ["no kind"]},
            {"under": site},
            {"kinds": [Site], "under": site},
            {"kinds": [Crate], "under": "Site/a"},
            {"after": 7},
            {"load": "yes"},
            {"idle": 3},
        ]
        for options in wrong:
            with pytest.raises(InvalidCall):
                lab.store.watch(**options)

        assert before == len(lab.faults.requests)


def seen(store: Any, after: str, count: int, **options: Any) -> list[Event]:
    """Return so many events, and see that no other follows them."""
    found: list[Event] = []
    watch = store.watch(after=after, idle=_PATIENCE, **options)
    while len(found) < count:
        event = next(watch, None)
        assert event is not None
        found.append(event)
    return found


def _all(store: Any, after: str, **options: Any) -> Iterable[Event]:
    for event in store.watch(after=after, idle=_PATIENCE, **options):
        if event.changes[-1].key == Key("Site", "end"):
            break
        yield event


def _keys(lab: Lab, after: str, **options: Any) -> list[set[str]]:
    watch = lab.store.watch(after=after, idle=timedelta(0), **options)
    events: list[Event] = list(watch)
    return [{one.key.text for one in event.changes} for event in events]
