"""The copy of a follower: random writers, lists, reads of the feed and gaps, beside a model that keeps everything."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given, settings, strategies as st

from emco_store.core.events import Aspect
from emco_store.core.following import Added, Copy, Removed, Resynced, Updated
from emco_store.core.keys import Key
from emco_store.errors import InvalidResource

KEYS = tuple(Key("Site", name) for name in "abcd")
PAGE = 2


@dataclass(frozen=True)
class Value:
    """A resource, as far as a copy looks at it."""

    key: Key
    meta: SimpleNamespace
    is_shown: bool = True


def value(key, uid, version, *, is_shown=True, at=0):
    """Return a state of a resource."""
    return Value(key, SimpleNamespace(uid=uid, version=version, updated_us=at), is_shown)


class World:
    """A store and its feed, and a follower of them whose requests come whenever a test says so."""

    def __init__(self):
        self.stored, self.feed, self.uids = {}, [], 0
        self.copy = Copy(lambda one: one.is_shown)
        self.kept, self.cursor, self.page, self.read = {}, None, None, None

    def write(self, number, kind):
        """Create or update a resource, hide it, break it, or delete it."""
        key = KEYS[number]
        before = self.stored.pop(key, None)
        self.feed.append(key)
        if kind == "delete":
            return
        if before is None:
            self.uids += 1
        uid, version = (f"u{self.uids}", 1) if before is None else (before.meta.uid, before.meta.version + 1)
        self.stored[key] = value(key, uid, version, is_shown=kind != "hide")

    def request(self, *_):
        """Make the next request of the follower, and let it see the reply."""
        if self.cursor is None:
            self.cursor, self.page, self.read = len(self.feed), 0, None
            self.copy.begin()
        elif self.page is not None:
            page = sorted(key for key in self.stored if self.page == 0 or key > self.page)
            self.apply(self.copy.listed([self.stored[key] for key in page[:PAGE]]))
            self.page = page[PAGE - 1] if len(page) > PAGE else None
            if self.page is None:
                self.apply(self.copy.end(str(self.cursor)))
        elif self.read is None:
            self.read = dict.fromkeys(self.feed[self.cursor :][:3])
            self.cursor = min(len(self.feed), self.cursor + 3)
        else:
            found = {key: self.stored[key] for key in self.read if key in self.stored}
            self.apply(self.copy.changed({key: [Aspect.RESOURCE] for key in self.read}, found))
            self.read = None

    def lose(self, *_):
        """Lose the feed up to now; the follower notices when it reads next."""
        if self.page is None and self.read is None:
            self.cursor = None

    def apply(self, told):
        """Do what the follower is told, and see that it follows from what was told before."""
        for one in told:
            match one:
                case Added(new):
                    assert new.key not in self.kept
                    self.kept[new.key] = new
                case Updated(new, old):
                    assert old is self.kept[new.key]
                    assert (old.meta.uid, old.meta.version + 1) <= (new.meta.uid, new.meta.version)
                    self.kept[new.key] = new
                case Removed(old):
                    assert old is self.kept.pop(old.key)
                case Resynced(gone):
                    assert self.kept.keys().isdisjoint(gone)

    def settle(self):
        """Let the follower catch up."""
        while self.cursor != len(self.feed) or self.page is not None or self.read is not None:
            self.request()


WRITES = st.tuples(
    st.just("write"), st.integers(0, len(KEYS) - 1), st.sampled_from(["change", "change", "hide", "delete"])
)
STEPS = st.lists(st.one_of(WRITES, st.tuples(st.just("request")), st.tuples(st.just("lose"))), max_size=60)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_copy_of_a_follower_that_has_caught_up_is_what_is_stored(steps):
    """Whatever is written between its requests, and wherever the feed has gaps, it has what is stored (FEED-12)."""
    world = World()
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
    world.settle()

    expected = {key: one for key, one in world.stored.items() if one.is_shown}
    assert expected == world.kept == world.copy.resources


def test_version_that_a_failover_has_replaced_is_told():
    """Another state of the same number is another state (FEED-12)."""
    copy = Copy(lambda _: True)
    first, other = value(KEYS[0], "u", 6, at=1), value(KEYS[0], "u", 6, at=2)
    copy.begin()

    assert [Added(first)] == copy.listed([first])
    assert [Resynced((), "c")] == copy.end("c")
    assert [] == copy.listed([first])
    assert [Updated(other, first)] == copy.listed([other])


@pytest.mark.parametrize("is_there", [True, False])
def test_unreadable_resource_counts_as_gone(is_there):
    """It is told with its error, and is forgotten when it can be read, or is gone (FEED-12)."""
    copy = Copy(lambda _: True)
    one, problem = value(KEYS[0], "u", 1), InvalidResource("Cannot read it.", key=KEYS[0])
    copy.begin()
    copy.listed([one])

    assert [Removed(one), problem] == copy.changed({one.key: [Aspect.RESOURCE]}, {one.key: problem})
    assert {one.key: problem} == copy.unreadable
    copy.begin()
    assert [Added(one)] * is_there == copy.listed([one] * is_there)
    assert [Resynced((), "c")] == copy.end("c")
    assert {} == copy.unreadable
