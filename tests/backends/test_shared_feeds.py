# ruff: noqa: D102 - what a method should do is in emco_store.backends, and that it does not do so is in its class
"""What readers of one process share of a feed, and mutants of it that the same readers must catch.

The readers stand at places of their own, are slow or fast, and are given pages of any size. None may miss an event or
be told one twice, whatever the others do (FEED-3, FEED-4).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from emco_store.backends import newest
from emco_store.backends.mongo import tails as mongo_tails
from emco_store.backends.newest import Newest
from emco_store.backends.redis import feed as redis_feed, tails as redis_tails
from emco_store.ports import EventPage, Events

READERS = 5
STEPS = 400
SEEDS = range(8)


class OfRedis:
    """The truth as a server of Redis has it, and the tail of a process."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.entries: list[tuple[bytes, ...]] = [(b"0-1", b"begun", b"", b"", b"")]
        self.tail = redis_tails.Tail()

    def commit(self) -> None:
        """Add an event."""
        number = len(self.entries)
        self.entries.append((f"{number // 3}-{number % 3 + 1}".encode(), b"t%d" % number, b"", b"", b""))

    def begin(self) -> str:
        """Return a cursor at which a reader may begin."""
        return self._cursor(self.random.randrange(len(self.entries)))

    def ask(self, events: Events) -> EventPage:
        """Read as the port does: from the tail, else from the server."""
        found = self.tail.page(events, 60.0)
        if found is not None and found.events:
            return found
        place = redis_feed.place_of(events.after or "")
        if found is not None and self.random.random() < 0.7:
            self.tail.begin(place)
            self.tail.add(place, self._after(place, 1000))
            if self.random.random() < 0.3:  # another reader has read the same meanwhile
                self.tail.add(place, self._after(place, 1000))
            return self.tail.page(events, 60.0) or EventPage(events.after or "")
        read = self._after(place, events.limit)
        if self.random.random() < 0.2:
            self.tail.begin(place)
        self.tail.add(place, read)
        return redis_feed.page(redis_feed.place_in(read[-1]) if read else place, read)

    def _after(self, place: redis_feed.Place, limit: int) -> list[tuple[bytes, ...]]:
        at = next(at for at, entry in enumerate(self.entries) if redis_feed.place_in(entry) == place)
        return self.entries[at + 1 : at + 1 + limit]

    def _cursor(self, at: int) -> str:
        return redis_feed.cursor_at(redis_feed.place_in(self.entries[at]))


class OfMongo:
    """The truth as an oplog has it, and the tail of a process."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.places = [10]
        self.documents: list[dict[str, Any]] = []
        self.tail: mongo_tails.Tail | None = None

    def commit(self) -> None:
        """Add an event; the oplog has other entries between."""
        self.places.append(self.places[-1] + self.random.randrange(1, 4))
        place = self._text(self.places[-1])
        self.documents.append({
            "_id": {"_data": place}, "operationType": "insert",
            "fullDocument": {"_id": f"tx:t{len(self.documents) + 1}", "f": [""]},
        })  # fmt: skip

    def begin(self) -> str:
        """Return a cursor at which a reader may begin."""
        return f"n.{self._text(self.random.choice(self.places))}"

    def ask(self, events: Events) -> EventPage:
        """Read as the port does: from the tail, else by a stream of one's own."""
        after = events.after or ""
        if self.tail is None:
            self.tail = mongo_tails.Tail("n", after)
        found = self.tail.page(events)
        if found is not None and not found.events and self.random.random() < 0.7:
            self.tail.add(self._reply(self.tail.end, 1000))
            found = self.tail.page(events)
        if found is not None:
            return found
        reply = self._reply(after.removeprefix("n."), events.limit)
        page = mongo_tails.feed.page("n", events, reply)
        if len(page.events) < events.limit and self.random.random() < 0.2:
            self.tail = mongo_tails.Tail("n", page.cursor)
        else:
            self.tail.admit(page.cursor)
        return page

    def _reply(self, place: str, limit: int) -> dict[str, Any]:
        found = [one for one in self.documents if one["_id"]["_data"] > place][:limit]
        end = found[-1]["_id"]["_data"] if found else max(place, self._text(self.places[-1]))
        return {"cursor": {"nextBatch": found, "postBatchResumeToken": {"_data": end}}}

    @staticmethod
    def _text(place: int) -> str:
        return f"{place:08X}"


def followed(world: Callable[[Random], OfRedis | OfMongo]) -> Iterator[str]:
    """Let readers follow a feed; yield what each of them was told wrongly."""
    for seed in SEEDS:
        random = Random(seed)
        server = world(random)
        for _ in range(3):
            server.commit()
        cursors = [server.begin() for _ in range(READERS)]
        told: list[list[str]] = [[] for _ in cursors]
        begins = list(cursors)
        for _ in range(STEPS):
            if random.random() < 0.3:
                server.commit()
                continue
            reader = random.randrange(READERS) if random.random() < 0.5 else 0
            page = server.ask(Events(cursors[reader], limit=random.randrange(1, 4)))
            cursors[reader] = page.cursor
            told[reader] += [event.txid for event in page.events]
        for reader, found in enumerate(told):
            first = _number_after(server, begins[reader])
            if found != [f"t{number}" for number in range(first, first + len(found))]:
                yield f"seed {seed}, reader {reader}: {found}"


def _number_after(server: OfRedis | OfMongo, cursor: str) -> int:
    if isinstance(server, OfRedis):
        return next(at for at, _ in enumerate(server.entries) if server._cursor(at) == cursor) + 1
    return sum(place <= int(cursor.removeprefix("n."), 16) for place in server.places)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Tails that forget soon, so that readers are often before what is kept."""
    monkeypatch.setattr(newest, "MOST_EVENTS", 4)


@pytest.mark.parametrize("world", [OfRedis, OfMongo])
def test_readers_that_share_a_tail_get_each_event_once(world):
    """Whoever reads for others, and whatever is forgotten meanwhile, each reader gets what follows its cursor."""
    assert [] == list(followed(world))


class KeepsTheFloor(Newest[Any, Any]):
    """Forgets entries, and still takes readers who have not had them."""

    def trim(self) -> None:
        floor = self.floor
        super().trim()
        self.floor = floor


class TellsTheCursorAgain(Newest[Any, Any]):
    """Begins with the entry of the cursor."""

    def after(self, place: Any, limit: int) -> Any:
        begin = bisect_left(self._places, place)
        return [entry for entry, _ in self._entries[begin : begin + limit]]


class TellsTheNewest(Newest[Any, Any]):
    """Gives the last entries where there are more than fit."""

    def after(self, place: Any, limit: int) -> Any:
        return super().after(place, 1 << 30)[-limit:]


class TakesAnyPlace(Newest[Any, Any]):
    """Looks for no entry, and goes on with what comes after the place."""

    def has(self, place: Any) -> bool:
        return place is not None


class AddsTwice(redis_tails.Tail):
    """Adds what a reader has read, although another one has added it meanwhile."""

    def add(self, place: Any, entries: Any) -> None:
        with self._lock:
            if self._newest is not None:
                self._newest.end = place
        super().add(place, entries)


class BeginsWhereItIs(redis_tails.Tail):
    """Goes on where another reader reads, as if nothing were between the two."""

    def begin(self, place: Any) -> None:
        if self._newest is None:
            super().begin(place)
        else:
            self._newest.end = place


class AdmitsAll(mongo_tails.Tail):
    """Takes readers whose place is before what is kept."""

    def page(self, events: Any) -> Any:
        self._newest.floor = ""
        self._give(mongo_tails.feed.place_of("n", events.after))
        return super().page(events)


class LeavesTheEnd(mongo_tails.Tail):
    """Gives all readers the place at which the stream stands, whatever their page has had."""

    def page(self, events: Any) -> Any:
        page = super().page(events)
        return page if page is None else EventPage(f"n.{self.end}", page.events)


@pytest.mark.parametrize(
    ("world", "part", "name", "mutant"),
    [
        (OfRedis, redis_tails, "Newest", KeepsTheFloor),
        (OfRedis, redis_tails, "Newest", TellsTheCursorAgain),
        (OfRedis, redis_tails, "Newest", TellsTheNewest),
        (OfRedis, redis_tails, "Newest", TakesAnyPlace),
        (OfRedis, redis_tails, "Tail", AddsTwice),
        (OfRedis, redis_tails, "Tail", BeginsWhereItIs),
        (OfMongo, mongo_tails, "Newest", KeepsTheFloor),
        (OfMongo, mongo_tails, "Newest", TellsTheCursorAgain),
        (OfMongo, mongo_tails, "Newest", TellsTheNewest),
        (OfMongo, mongo_tails, "Tail", AdmitsAll),
        (OfMongo, mongo_tails, "Tail", LeavesTheEnd),
    ],
)
def test_broken_tail_is_caught(monkeypatch, world, part, name, mutant):
    """Each mutant leaves an event out, tells one twice, or tells them out of order."""
    monkeypatch.setattr(part, name, mutant)

    assert next(followed(world), None)


def test_what_was_read_long_ago_is_read_again():
    """A failover may have forgotten what another reader was told; one that waits at the end waits all the same."""
    server = OfRedis(Random(0))
    begin = server.begin()
    server.commit()
    server.tail.begin(redis_feed.place_of(begin))
    server.tail.add(redis_feed.place_of(begin), server.entries[1:])

    page = server.tail.page(Events(begin), 60.0)
    assert ["t1"] == [event.txid for event in page.events]
    assert None is server.tail.page(Events(begin), -1.0)
    assert () == server.tail.page(Events(page.cursor), -1.0).events
