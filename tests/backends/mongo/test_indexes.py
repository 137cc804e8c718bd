"""The indexes that are made when they are first needed: before that no request goes on, whatever became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier
from time import monotonic
from typing import Annotated, Any

import pytest

from emco_store import (
    F,
    Misconfigured,
    Resource,
    Store,
    Unavailable,
    UniqueViolation,
    connect,
    connect_async,
    indexed,
    unique,
)
from emco_store.backends.mongo import sending
from emco_store.backends.mongo.indexes import FIRST, INDEXES, LATER, NO_INDEX, PULSES, UNIQUE, VALUES, making
from emco_store.ports import Pulses
from tests.backends.mongo.conftest import Thing

pytestmark = pytest.mark.mongo
WRITERS = 6
LOSSES: dict[str, Callable[[Any], object]] = {
    "the index is dropped": lambda records: records.drop_index(UNIQUE),
    "all indexes are dropped": lambda records: records.drop_indexes(),
    "the collection is dropped": lambda records: records.drop(),
}


class Badge(Resource):
    """Has a value that nobody else has."""

    code: Annotated[str, unique()]


class Room(Resource):
    """Can be found by its floor."""

    floor: Annotated[int, indexed()] = 0


def there(records: Any) -> set[str]:
    """Return the names of the indexes on the server."""
    return set(records.index_information()) - {"_id_"}


@pytest.fixture(params=["auto", "plain"])
def either(request: pytest.FixtureRequest, url: str, namespace: str) -> Iterator[Store]:
    """A store on each transport."""
    with connect(url, namespace=namespace, transport=request.param) as opened:
        yield opened


@pytest.fixture
def without_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: no commit lets the server look whether the index of unique values is there."""
    monkeypatch.setattr(sending, "needed", lambda _: NO_INDEX)


def test_each_index_is_made_by_what_needs_it_first(store, records):
    """An index that nothing needs would cost every create and delete."""
    made = [there(records)]
    calls: dict[str, Callable[[], object]] = {
        "": lambda: store.delete(store.create(Thing(name="a"))),
        VALUES: lambda: store.create(Room(name="r", floor=1)),
        UNIQUE: lambda: store.create(Badge(name="b", code="1")),
        PULSES: lambda: store._port.ask(Pulses(due=True)),  # type: ignore[attr-defined]  # as a reaper does
    }
    for call in calls.values():
        call()
        made.append(there(records))

    assert [FIRST, FIRST] == made[:2]
    assert [{VALUES}, {UNIQUE}, {PULSES}] == [after - before for before, after in pairwise(made[1:])]
    assert {index["name"] for index in INDEXES} == made[-1]


@pytest.mark.parametrize(
    "read", [lambda s: s.list(Room, where=F.floor == 1), lambda s: s.count(Room, where=F.floor > 0)]
)
def test_list_by_a_field_makes_the_index_again(either, records, read):
    """A list in which records were missing would be wrong, so what names the index waits for it (ID-8, ID-18)."""
    either.create(Room(name="r", floor=1))
    records.drop_index(VALUES)
    found = read(either)

    assert 1 == (found if isinstance(found, int) else len(found))
    assert VALUES in there(records)


def take_twice(store: Store, records: Any, loss: str) -> None:
    """Write a value, lose the index under the open store, and write a value twice."""
    store.create(Badge(name="first", code="0"))
    LOSSES[loss](records)

    store.create(Badge(name="a", code="1"))
    with pytest.raises(UniqueViolation):
        store.create(Badge(name="b", code="1"))
    with store.transaction() as tx:  # as many as need more than one command
        for number in range(40):
            tx.create(Badge(name=f"m{number}", code=f"m{number}"))
    with pytest.raises(UniqueViolation):
        store.put(Badge(name="a", code="m39"))

    assert UNIQUE in there(records)


@pytest.mark.parametrize("loss", LOSSES)
def test_value_stays_unique_when_the_index_was_lost_under_an_open_store(either, records, loss):
    """The server refuses a commit with unique values while it has no index for them; then the store makes it (ID-6)."""
    take_twice(either, records, loss)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.usefixtures("without_hints")
def test_commit_that_does_not_name_the_index_is_caught(store, records, loss):
    """The test before finds a store that takes the index to be there because it was there once."""
    records.database.command(making(records.name, LATER))

    with pytest.raises(BaseException, match="DID NOT RAISE"):
        take_twice(store, records, loss)


def test_index_that_is_not_unique_is_not_taken_for_it(url, namespace, records):
    """A hint would accept any index of that name, so each store has the server compare its options once (ID-6)."""
    with connect(url, namespace=namespace) as store:
        records.create_index("q", name=UNIQUE, sparse=True)

        with pytest.raises(Misconfigured):
            store.create(Badge(name="b", code="1"))

        assert () == store.list(Badge).items
        assert "a" == store.create(Thing(name="a")).name


def test_first_value_is_taken_once_by_writers_that_all_lack_the_index(url, namespace, records):
    """Of processes that write the first unique value at once, one wins, and the others learn of it (ID-6)."""
    stores = [connect(url, namespace=namespace) for _ in range(WRITERS)]
    begin = Barrier(WRITERS)

    def write(number: int) -> bool:
        begin.wait(30)
        try:
            stores[number].create(Badge(name=f"b{number}", code="1"))
        except UniqueViolation:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as threads:
        for _ in range(3):
            records.drop()
            won = [*threads.map(write, range(WRITERS))]
            assert [1, 1] == [sum(won), records.count_documents({"q": {"$exists": True}})]
    for each in stores:
        each.close()


def test_group_in_which_some_need_the_lost_index_is_written_once(url, namespace, records):
    """Commits that go together wait for the index together, and each happens once (ID-6, ATM-1)."""

    async def scenario() -> list[Any]:
        async with connect_async(url, namespace=namespace) as store:
            await store.create(Badge(name="first", code="0"))
            records.drop_index(UNIQUE)
            badges = [store.create(Badge(name=f"b{number}", code=f"{number % 10}")) for number in range(1, 21)]
            things = [store.create(Thing(name=f"t{number}")) for number in range(20)]
            return await asyncio.gather(*badges, *things, return_exceptions=True)

    done = asyncio.run(scenario())

    assert 20 == sum(isinstance(one, Thing) for one in done)
    assert [9, 11] == [sum(isinstance(one, kind) for one in done) for kind in (Badge, UniqueViolation)]
    assert 10 == records.count_documents({"q": {"$exists": True}})


def test_large_index_is_completed_though_its_caller_has_stopped_waiting(store, records, root):
    """A server that threw away what it has built at each deadline would never be done with a large collection."""
    port: Any = store._port
    store.create(Thing(name="a"))
    port._deadline_s = 0.3
    hang, ours = "hangAfterStartingIndexBuild", {"command.createIndexes": records.name}
    root.admin.command({"configureFailPoint": hang, "mode": "alwaysOn"})
    try:
        with pytest.raises(Unavailable):
            store.create(Badge(name="early", code="1"))
        assert [] == list(records.find({"q": {"$exists": True}}))
        building: list[Any] = []
        end_s = monotonic() + 10
        while not building and monotonic() < end_s:  # the server may get the command after its caller has given up
            building = [one["command"] for one in root.admin.aggregate([{"$currentOp": {}}, {"$match": ours}])]
    finally:
        root.admin.command({"configureFailPoint": hang, "mode": "off"})
    port._deadline_s = 30.0

    store.create(Badge(name="late", code="1"))

    assert building
    assert [] == [command for command in building if "maxTimeMS" in command]
    assert ["late"] == [one.name for one in store.list(Badge)]
