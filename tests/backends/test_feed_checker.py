"""A checker of the feed: what watchers are told of racing writers is the history of every resource, without a gap."""

from __future__ import annotations

import random
import secrets
import threading
from datetime import timedelta

import pytest

from emco_store import Key, MemoryBackend, NotFound, Resource, StoreError, connect
from emco_store.backends.mongo.backend import DATABASE
from emco_store.core.events import Action, Event, RecordChange
from tests.backends.shared import ON_EACH, url_of

WRITERS, COMMITS, WATCHERS, RESOURCES = 6, 25, 3, 8
PATIENCE = timedelta(seconds=20)
END = Key("Site", "end")


class Site(Resource):
    """What the writers race for."""

    count: int = 0


@pytest.fixture
def place(request):
    """A backend, and a namespace of the test's own on it."""
    name = request.param
    namespace = f"checker{secrets.token_hex(6)}"
    if name == "memory":
        yield MemoryBackend(), namespace
        return
    url = url_of(request)("mongo" if name == "mongodb" else name)
    yield url, namespace
    if name == "mongodb":
        from pymongo import MongoClient  # noqa: PLC0415

        with MongoClient(url) as client:
            client[DATABASE].drop_collection(f"emco.{namespace}")


class Checker:
    """Replays events, and notes whatever does not follow from those before."""

    def __init__(self):
        self.live, self.txids, self.wrong = {}, [], []

    def note(self, event):
        """Replay one event."""
        self.txids.append(event.txid)
        for change in event.changes:
            before = self.live.get(change.key)
            expected = {
                Action.CREATED: None,
                Action.UPDATED: (change.uid, change.version - 1),
                Action.DELETED: (change.uid, change.version),
            }[change.action]
            if before != expected or (change.action is Action.CREATED and change.version != 1):
                self.wrong.append((change, before))
            if change.action is Action.DELETED:
                self.live.pop(change.key, None)
            else:
                self.live[change.key] = change.uid, change.version


def write(place, seed, acknowledged):
    """Commit at random, and count what was acknowledged; what loses a race is not repeated."""
    chosen = random.Random(seed)
    with connect(place[0], namespace=place[1]) as store:
        for _ in range(COMMITS):
            try:
                with store.transaction() as tx:
                    for number in chosen.sample(range(RESOURCES), chosen.choice([1, 1, 2, 3])):
                        _change(tx, f"s{number}", is_delete=chosen.random() < 0.1)
            except StoreError:
                continue
            acknowledged.append(seed)


def _change(tx, name, *, is_delete):
    try:
        site = tx.get(Site, name)
    except NotFound:
        tx.create(Site(name=name))
        return
    if is_delete:
        tx.delete(site)
    else:
        tx.update(site.model_copy(update={"count": site.count + 1}))


def watch(place, begin, seed, checker):
    """Follow the feed up to its end, and go on with another watch now and then."""
    chosen = random.Random(seed)
    with connect(place[0], namespace=place[1]) as store:
        cursor = begin
        while END not in checker.live:
            for event in store.watch(after=cursor, idle=PATIENCE):
                checker.note(event)
                cursor = event.cursor
                if END in checker.live or chosen.random() < 0.05:
                    break
            else:
                checker.wrong.append("the feed has stopped")
                return


@pytest.mark.parametrize("place", ON_EACH, indirect=True)
def test_watchers_are_told_the_history_that_the_writers_made(place):
    """Each acknowledged commit is told once to each watcher, and the events lead to what is stored (FEED-1 to 3)."""
    with connect(place[0], namespace=place[1]) as store:
        begin = store.feed_cursor()
        acknowledged, checkers = [], [Checker() for _ in range(WATCHERS)]
        writers = [threading.Thread(target=write, args=(place, seed, acknowledged)) for seed in range(WRITERS)]
        watchers = [threading.Thread(target=watch, args=(place, begin, seed, one)) for seed, one in enumerate(checkers)]
        for thread in (*watchers, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        store.create(Site(name=END.name))
        for thread in watchers:
            thread.join()
        stored = {site.key: (site.meta.uid, site.meta.version) for site in store.list(Site, limit=1000)}

    for checker in checkers:
        assert [] == checker.wrong
        assert len(acknowledged) + 1 == len(checker.txids) == len(set(checker.txids))
        assert stored == checker.live


def event(txid, *changes):
    """Return an event about one site."""
    return Event(txid, txid, tuple(RecordChange(action, Key("Site", "a"), uid, at) for action, uid, at in changes))


@pytest.mark.parametrize(
    "broken",
    [
        [event("2", (Action.UPDATED, "u", 3))],
        [event("2", (Action.UPDATED, "u", 1))],
        [event("2", (Action.CREATED, "v", 1))],
        [event("2", (Action.DELETED, "u", 1)), event("3", (Action.UPDATED, "u", 2))],
        [event("2", (Action.DELETED, "u", 2))],
        [event("2", (Action.DELETED, "u", 1)), event("3", (Action.CREATED, "v", 2))],
    ],
)
def test_checker_notes_what_does_not_follow(broken):
    """A version that is left out or comes twice, and what another resource under the key has done, are noted."""
    checker = Checker()
    for one in (event("1", (Action.CREATED, "u", 1)), *broken):
        checker.note(one)

    assert 1 == len(checker.wrong)
