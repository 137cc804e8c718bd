"""FEED-12: a follower lists, then watches, without a gap, and has a copy of what is stored."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle
from emco_store.contracts.models import Crate, Parcel, Site
from emco_store.contracts.rules import rule
from emco_store.core.events import Aspect
from emco_store.core.following import Added, Removed, Resynced, Updated
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.core.resource import Resource
from emco_store.errors import FeedGap, InvalidCall, InvalidResource, Unavailable
from emco_store.ports import Events, Scan

_PATIENCE = timedelta(seconds=10)
"""How long a follower waits for what will come; no test that passes waits so long."""
_ROUNDS = 24
_POLLS = 5_000
"""After how many requests a follower that has not been told is not told any more."""
_NAMES = ("a", "b", "c")


class FollowRules:
    """What ``store.follow`` tells."""

    @rule("FEED-12")
    def test_follow_tells_what_is_there_and_then_what_changes(self, lab: Lab) -> None:
        """A list, its end, and then each change, with what was told before (FEED-12)."""
        a, b = lab.store.create(Site(name="a")), lab.store.create(Site(name="b"))
        follow = lab.open().follow(Site, idle=_PATIENCE)
        assert None is follow.cursor
        assert [Added(a), Added(b)] == [next(follow), next(follow)]
        assert () == next(follow).gone
        assert isinstance(follow.cursor, str)

        new = lab.store.update(a.model_copy(update={"title": "new"}))
        assert Updated(new, a) == next(follow)
        c = lab.store.create(Site(name="c"))
        assert Added(c) == next(follow)
        lab.store.delete(b)
        assert Removed(b) == next(follow)
        assert (new.key, c.key, b.key) == (Updated(new, a).key, Added(c).key, Removed(b).key)

    @rule("FEED-12")
    def test_change_between_list_and_watch_is_told_once(self, lab: Lab) -> None:
        """What is written before the list is read, and after it, is neither missed nor told twice (FEED-12)."""
        a, b = lab.store.create(Site(name="a")), lab.store.create(Site(name="b"))
        other = lab.inside(lab.open())
        lab.faults.do(Scan, lambda: other.update(a.model_copy(update={"title": "before"})))
        lab.faults.do(Scan, lambda: other.update(b.model_copy(update={"title": "after"})), moment="after")
        for action in (_nothing, _nothing, lambda: other.create(Site(name="end"))):  # the cursor, and two reads
            lab.faults.do(Events, action)
        follow = lab.open().follow(Site, idle=_PATIENCE)
        told = [next(follow) for _ in range(3)]

        assert [("a", "before"), ("b", "")] == [(one.resource.name, one.resource.title) for one in told[:2]]
        assert isinstance(told[2], Resynced)
        assert Updated(lab.store.get(Site, "b"), b) == next(follow)
        assert "end" == next(follow).resource.name

    @rule("FEED-12")
    def test_gap_is_told_as_the_difference(self, lab: Lab) -> None:
        """After a gap the follower is told what has changed, what is new and what is gone (FEED-12)."""
        names = ("changed", "gone", "replaced", "same")
        changed, gone, replaced, _ = (lab.store.create(Site(name=name)) for name in names)
        follow = lab.open().follow(Site, idle=_PATIENCE)
        _until_resynced(follow)
        other = lab.inside(lab.open())
        for action in (
            _gap,
            _nothing,
            lambda: other.create(Site(name="end")),
        ):  # the read, the new cursor, the next read
            lab.faults.do(Events, action)
        update = lab.store.update(changed.model_copy(update={"title": "x"}))
        lab.store.delete(gone, replaced)
        again, new = lab.store.create(Site(name="replaced")), lab.store.create(Site(name="new"))

        for one in (Updated(update, changed), Added(new), Removed(replaced), Added(again), Removed(gone)):
            assert one == next(follow)
        end = next(follow)
        assert (gone.key,) == end.gone
        assert follow.cursor == end.cursor
        assert "end" == next(follow).resource.name

    @rule("FEED-12")
    def test_follower_goes_on_after_an_outage(self, lab: Lab) -> None:
        """An error leaves the follower where it was: in the list as in the feed, it goes on (FEED-12)."""
        a = lab.store.create(Site(name="a"))
        follow = lab.open().follow(Site, idle=_PATIENCE)
        for request in (Events, Scan):
            lab.faults.unreachable(request)
            with pytest.raises(Unavailable):
                next(follow)
        assert Added(a) == next(follow)
        assert isinstance(next(follow), Resynced)
        lab.faults.unreachable(Events)
        with pytest.raises(Unavailable):
            next(follow)
        b = lab.store.create(Site(name="b"))

        assert Added(b) == next(follow)

    @rule("FEED-12")
    def test_resource_that_leaves_the_filter_is_removed(self, lab: Lab) -> None:
        """What comes to meet the conditions is added, and what stops meeting them is removed (FEED-12)."""
        p1, p10 = lab.store.create(Site(name="p1")), lab.store.create(Site(name="p10"))
        crates = [lab.store.create(Crate(parent=site, name="c")) for site in (p1, p10)]
        first = lab.store.create(Parcel(parent=crates[0], name="first", colour="x"))
        second = lab.store.create(Parcel(parent=crates[0], name="second", colour="y"))
        lab.store.create(Parcel(parent=crates[1], name="namesake", colour="x"))
        follow = lab.open().follow(Parcel, under=p1, where=F.colour == "x", idle=_PATIENCE)
        assert Added(first) == next(follow)
        assert isinstance(next(follow), Resynced)

        lab.store.create(Parcel(parent=crates[1], name="another", colour="x"))
        lab.store.update(first.model_copy(update={"colour": "y"}))
        assert Removed(first) == next(follow)
        assert Added(lab.store.update(second.model_copy(update={"colour": "x"}))) == next(follow)

    @rule("FEED-12")
    def test_namesake_is_told_as_another_resource(self, lab: Lab) -> None:
        """What is created again under a key is no update of what was there, whatever its version (FEED-12)."""
        a = lab.store.create(Site(name="a"))
        follow = lab.open().follow(Site, idle=_PATIENCE)
        _until_resynced(follow)
        lab.store.delete(a)
        again = lab.store.create(Site(name="a"))

        assert [Removed(a), Added(again)] == [next(follow), next(follow)]

    @rule("FEED-12")
    def test_states_are_told_to_those_who_ask(self, lab: Lab) -> None:
        """A transition is told as an update with its aspect, and by default not at all (FEED-12)."""
        cloud = lab.store.create(Cloud(name="c"))
        both = lab.open().follow(Cloud, aspects=[Aspect.RESOURCE, Aspect.STATE], idle=_PATIENCE)
        only = lab.open().follow(Cloud, idle=_PATIENCE)
        for follow in (both, only):
            _until_resynced(follow)
        lab.store.transition(cloud, CloudLifecycle.launch)
        end = lab.store.create(Cloud(name="end"))

        assert Updated(cloud, cloud, Aspect.STATE) == next(both)
        assert Added(end) == next(only)

    @rule("FEED-12")
    def test_unreadable_document_is_raised_and_counts_as_gone(self, lab: Lab) -> None:
        """A follower is told of what it cannot read, in the list and later, and goes on after it (FEED-12)."""
        a, b = lab.store.create(Site(name="a")), lab.store.create(Site(name="b"))
        lab.tamper(b.key, b"[]")
        reader = lab.open()
        follow = reader.follow(Site, idle=_PATIENCE)
        skipping = reader.follow(Site, unreadable="skip", idle=_PATIENCE)
        assert Added(a) == next(follow) == next(skipping)
        with pytest.raises(InvalidResource):
            next(follow)
        assert () == next(follow).gone == next(skipping).gone

        lab.tamper(a.key, b"[]")
        assert Removed(a) == next(follow)
        assert Removed(a) == next(skipping)
        with pytest.raises(InvalidResource):
            next(follow)
        lab.store.delete(a.key, b.key)
        again = lab.store.create(Site(name="b"))
        assert Added(again) == next(follow) == next(skipping)

    @rule("FEED-12")
    def test_copy_is_what_is_stored_whatever_writers_do_meanwhile(self, lab: Lab) -> None:
        """Writes around each request of a follower, and gaps, leave its copy equal to the store (FEED-12)."""
        chosen = random.Random(7)  # noqa: S311 - a repeatable example
        other = lab.inside(lab.open())
        reader = lab.open()
        kept: dict[Key, Resource] = {}
        follow = reader.follow(Site, where=F.title != "hidden", idle=timedelta(0))
        for turn in range(_ROUNDS):
            lab.faults.do(Events, _writes(other, chosen), moment="after")
            if turn % 6 == 5:
                lab.faults.do(Events, _gap)
                lab.faults.do(Scan, _writes(other, chosen))
                lab.faults.do(Scan, _writes(other, chosen), moment="after")
            for one in follow:
                _apply(kept, one)
        lab.faults.clear()
        end = lab.store.create(Site(name="end"))
        for _ in range(_POLLS):
            if end.key not in kept:
                _apply(kept, next(follow, Resynced((), "")))

        assert {site.key: site for site in lab.store.list(Site) if site.title != "hidden"} == kept

    @rule("FEED-12")
    def test_wrong_arguments_of_a_follower_are_refused(self, lab: Lab) -> None:
        """What could not be followed is refused before anything is asked (FEED-12)."""
        site = lab.store.create(Site(name="a"))
        before = len(lab.faults.requests)
        wrong: list[tuple[Any, dict[str, Any]]] = [
            (Resource, {}),
            (7, {}),
            ("emco__Lease", {}),
            ("no kind", {}),
            (Site, {"under": site}),
            (Site, {"where": "title"}),
            (Site, {"where": F.nothing == 1}),
            (Site, {"aspects": []}),
            (Site, {"aspects": "state"}),
            (Site, {"aspects": ["state"]}),
            (Site, {"unreadable": "give"}),
            (Site, {"idle": 3}),
        ]
        for model, options in wrong:
            with pytest.raises(InvalidCall):
                lab.store.follow(model, **options)

        assert before == len(lab.faults.requests)


def _gap() -> None:
    raise FeedGap("planned", cursor="")


def _nothing() -> None:
    pass


def _until_resynced(follow: Any) -> list[Any]:
    told: list[Any] = []
    while not told or not isinstance(told[-1], Resynced):
        told.append(next(follow))
    return told


def _writes(store: Any, chosen: random.Random) -> Callable[[], Any]:
    """Return what writes one resource at random, when it is called."""
    site = Site(name=chosen.choice(_NAMES), title=chosen.choice(["hidden", "x", "y"]))
    if chosen.random() < 0.3:
        return lambda: store.delete(site.key, missing_ok=True)
    return lambda: store.put(site)


def _apply(kept: dict[Key, Any], one: Any) -> None:
    """Do what a follower is told, and see that it follows from what was told before."""
    match one:
        case Added(resource):
            assert resource.key not in kept
            kept[resource.key] = resource
        case Updated(resource, old):
            assert old == kept[resource.key]
            assert old.meta.uid == resource.meta.uid
            assert old.meta.version < resource.meta.version
            kept[resource.key] = resource
        case Removed(old):
            assert old == kept.pop(old.key)
        case _:
            assert all(key not in kept for key in one.gone)
