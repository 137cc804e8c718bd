"""FEED-13: a cache shows what is stored, its own writes included, or says that it cannot."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.blocking import raw
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Parcel, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.errors import FeedGap, InvalidCall, InvalidResource, NotFound, StaleCache
from emco_store.ports import Events, Scan

_PATIENCE = timedelta(seconds=10)
"""How long a cache is waited for; no test that passes waits so long."""


class CacheRules:
    """What ``store.follow(…).cache()`` shows."""

    @rule("FEED-13")
    def test_cache_reads_its_own_writes(self, lab: Lab) -> None:
        """After a wait, look-ups show what was written before it, and later states too (FEED-13)."""
        a = lab.store.create(Site(name="a"))
        with lab.open().follow(Site).cache() as cache:
            assert a == cache.get("a") == cache.get(a) == cache.get(a.key) == cache.find(a.ref)
            for number in range(5):
                a = lab.store.update(a.model_copy(update={"title": f"{number}"}))
                b = lab.store.create(Site(name=f"b{number}"))
                cache.wait(a, b, deadline=_PATIENCE)
                assert (a, b) == (cache.get("a"), cache.get(f"b{number}"))
            lab.store.delete(a)
            cache.wait(a.key, deadline=_PATIENCE)

            assert None is cache.find("a")
            with pytest.raises(NotFound) as caught:
                cache.get("a")
            assert (a.key,) == caught.value.keys
            again = lab.store.create(Site(name="a"))
            cache.wait(again, deadline=_PATIENCE)
            assert again == cache.get("a")

    @rule("FEED-13")
    def test_wait_ends_though_others_have_written_since(self, lab: Lab) -> None:
        """What was written may be changed, replaced or gone before the cache reads it (FEED-13)."""
        with lab.open().follow(Site).cache() as cache:
            lab.faults.do(Events, _gap)
            gone = lab.store.create(Site(name="gone"))
            lab.store.delete(gone)
            replaced = lab.store.create(Site(name="replaced"))
            lab.store.delete(replaced)
            now = lab.store.create(Site(name="replaced"))
            changed = lab.store.create(Site(name="changed"))
            newer = lab.store.update(changed.model_copy(update={"title": "x"}))
            cache.wait(gone, replaced, changed, deadline=_PATIENCE)

            assert (newer, now) == cache.list()

    @rule("FEED-13")
    def test_change_between_list_and_feed_is_shown(self, lab: Lab) -> None:
        """What is written after the list was read, and before the feed is, is not missed (FEED-13)."""
        a = lab.store.create(Site(name="a"))
        other = lab.inside(lab.open())
        lab.faults.do(Scan, lambda: other.update(a.model_copy(update={"title": "x"})), moment="after")
        for action in (_nothing, _nothing, lambda: other.create(Site(name="end"))):  # the cursor, and two reads
            lab.faults.do(Events, action)
        with lab.open().follow(Site).cache() as cache:
            for _ in range(20):
                if cache.find("end") is None:  # the wait ends with the next read of the feed
                    cache.wait(Key("Site", "nothing"), deadline=_PATIENCE)
            assert [("a", "x"), ("end", "")] == [(site.name, site.title) for site in cache.list()]

    @rule("FEED-13")
    def test_indexes_and_places_follow_each_change(self, lab: Lab) -> None:
        """Look-ups by index and by ancestor give what is there now, by key, each once (FEED-13)."""
        sites = [lab.store.create(Site(name=name)) for name in ("p1", "p10")]
        crates = [lab.store.create(Crate(parent=site, name="c")) for site in sites]
        red, blue = (lab.store.create(Parcel(parent=crates[0], name=name, colour=name)) for name in ("red", "blue"))
        other = lab.store.create(Parcel(parent=crates[1], name="other", colour="red"))
        index = {"colour": lambda one: one.colour or None, "letters": lambda one: list(one.colour)}
        with lab.open().follow(Parcel).cache(index=index) as cache:
            assert (blue, red, other) == cache.list()
            assert (blue, red) == cache.list(under=sites[0]) == cache.list(under=crates[0])
            assert (red, other) == cache.by("colour", "red") == cache.by("letters", "r")
            now = lab.store.update(red.model_copy(update={"colour": "blue"}))
            lab.store.delete(other)
            plain = lab.store.update(blue.model_copy(update={"colour": ""}))
            cache.wait(now, other.key, plain, deadline=_PATIENCE)

            assert () == cache.by("colour", "red") == cache.by("colour", None) == cache.list(under=sites[1])
            assert (now,) == cache.by("colour", "blue") == cache.by("letters", "u")
            with pytest.raises(InvalidCall):
                cache.by("size", 1)

    @rule("FEED-13")
    def test_cache_shows_what_meets_its_conditions(self, lab: Lab) -> None:
        """A wait for what stops meeting the conditions ends when it is not shown any more (FEED-13)."""
        a = lab.store.create(Site(name="a", title="x"))
        with lab.open().follow(Site, where=F.title == "x").cache() as cache:
            hidden = lab.store.update(a.model_copy(update={"title": "y"}))
            cache.wait(hidden, deadline=_PATIENCE)
            assert None is cache.find("a")
            shown = lab.store.update(hidden.model_copy(update={"title": "x"}))
            cache.wait(a.key, deadline=_PATIENCE)
            assert (shown,) == cache.list()

    @rule("FEED-13")
    def test_cache_is_what_is_stored_among_writers_and_gaps(self, lab: Lab) -> None:
        """Whatever is written, and whatever the feed has lost, a wait makes the cache equal to the store (FEED-13)."""
        chosen = random.Random(3)  # noqa: S311 - a repeatable example
        with lab.open().follow(Site).cache() as cache:
            for turn in range(4):
                keys = [Key("Site", name) for name in chosen.sample("abcdef", 3)]
                for key in keys[:2]:
                    lab.store.put(Site(name=key.name, title=f"{turn}"))
                if turn % 3 == 1:
                    lab.faults.do(Events, _gap)
                lab.store.delete(keys[2], missing_ok=True)
                cache.wait(*keys, deadline=_PATIENCE)
                assert tuple(lab.store.list(Site)) == cache.list()

    @rule("FEED-13")
    def test_old_copy_raises_and_says_that_it_is_not_ready(self, lab: Lab) -> None:
        """A cache that does not hear of its backend refuses look-ups, and serves again when it does (FEED-13)."""
        a = lab.store.create(Site(name="a"))
        with lab.open().follow(Site).cache(stale_after=timedelta(seconds=20)) as cache:
            inner = raw(cache)
            lab.faults.unreachable(Events, times=1 << 30)
            begin_s, late = inner._clock_s(), [0.0]  # noqa: SLF001 - the own clock, which the test moves
            inner._clock_s = inner._follower._clock_s = lambda: begin_s + late[0]  # noqa: SLF001 - as above
            assert cache.ready()
            assert a == cache.get("a")
            late[0] = 21.0
            assert not cache.ready()
            for look in (lambda: cache.get("a"), cache.list, lambda: cache.by("x", 1), lambda: cache.wait(a.key)):
                with pytest.raises(StaleCache) as caught:
                    look()
                assert caught.value.retryable
            lab.faults.clear()
            now = lab.store.update(a.model_copy(update={"title": "x"}))
            inner.signal.give()
            cache.wait(now, deadline=_PATIENCE)
            assert now == cache.get("a")

    @rule("FEED-13")
    def test_what_ends_the_background_is_raised_at_the_next_look(self, lab: Lab) -> None:
        """A cache that has stopped following says so, with the cause, and never goes on in silence (FEED-13)."""
        lab.store.create(Site(name="a"))

        def function(site: Site) -> str:
            if site.title:
                raise ValueError(site.title)
            return site.name

        with lab.open().follow(Site).cache(index={"name": function}, stale_after=None) as cache:
            assert ("a",) == tuple(site.name for site in cache.by("name", "a"))
            bad = lab.store.create(Site(name="b", title="no such title"))
            with pytest.raises(StaleCache) as caught:
                cache.wait(bad, deadline=_PATIENCE)
            assert isinstance(caught.value.__cause__, ValueError)
            with pytest.raises(StaleCache):
                cache.get("a")
            assert not cache.ready()
        with pytest.raises(StaleCache), lab.open().follow(Site).cache(index={"name": function}):
            pass

    @rule("FEED-13")
    def test_unreadable_resource_is_left_out_and_stops_nobody(self, lab: Lab) -> None:
        """A look-up of it raises its error, others go on (FEED-13)."""
        a, b = lab.store.create(Site(name="a")), lab.store.create(Site(name="b"))
        lab.tamper(b.key, b"[]")
        with lab.open().follow(Site).cache() as cache:
            assert (a,) == cache.list()
            assert [b.key] == list(cache.unreadable)
            with pytest.raises(InvalidResource):
                cache.get("b")
            c = lab.store.create(Site(name="c"))
            lab.store.delete(b.key)
            cache.wait(c, b.key, deadline=_PATIENCE)
            assert (a, c) == cache.list()
            assert {} == cache.unreadable

    @rule("FEED-13")
    def test_wrong_use_of_a_cache_is_refused(self, lab: Lab) -> None:
        """What could not be kept or looked up is refused, and nothing can be looked up outside the block (FEED-13)."""
        site = lab.store.create(Site(name="a"))
        wrong: list[dict[str, Any]] = [
            {"index": ["title"]},
            {"index": {"title": "title"}},
            {"index": {1: str}},
            {"stale_after": 15},
            {"stale_after": timedelta(seconds=2)},
        ]
        for options in wrong:
            with pytest.raises(InvalidCall):
                raw(lab.store.follow(Site)).cache(**options)
        follow = lab.store.follow(Site)
        next(follow)
        with pytest.raises(InvalidCall):
            raw(follow).cache()
        with lab.open().follow(Crate, under=site).cache() as cache:
            for target in (site, Key("Crate", "b", "c"), "Crate/a/c"):
                with pytest.raises(InvalidCall):
                    cache.wait(target)
            with pytest.raises(InvalidCall):
                cache.get(site)
            assert cache.ready()
        assert not cache.ready()
        with pytest.raises(StaleCache):
            cache.list()


def _gap() -> None:
    raise FeedGap("planned", cursor="")


def _nothing() -> None:
    pass
