"""The fast lanes: stand-ins for servers that are chosen by a URL and live in the memory of this process."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex

import pytest
from fakeredis import FakeRedis

from emco_store import Durability, InvalidCall, Misconfigured, NotSupported, Resource, connect, connect_async
from emco_store.cli import main
from emco_store.connect import inspect
from emco_store.flows.context import RetryPolicy

SCHEMES = ("fakeredis", "mongomock")
HOMES = {"fakeredis": "emco_store.backends.redis.fake", "mongomock": "emco_store.backends.mongo.fake"}
THREADS, TURNS = 4, 5


class Count(Resource):
    """A number that several threads raise."""

    value: int = 0


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    """One of the fast lanes."""
    return request.param


@pytest.fixture
def shared(scheme: str) -> str:
    """The URL of a stand-in that has a name, which no other test has."""
    return f"{scheme}://t{token_hex(8)}"


def names(store):
    """Return the names of all that a store holds."""
    return [one.name for one in store.list(Count).resources]


def test_stores_of_one_name_share_their_data(shared):
    """A name is one stand-in for the whole process, also once no store is open any more."""
    with connect(shared, namespace="n") as store:
        store.create(Count(name="a"))

    with connect(shared, namespace="n") as again, connect(f"{shared}-2", namespace="n") as other:
        assert (["a"], []) == (names(again), names(other))
    with connect(shared, namespace="m") as beside:
        assert [] == names(beside)


def test_stores_without_a_name_share_nothing(scheme):
    """Each connect() without a name begins empty."""
    with connect(f"{scheme}://", namespace="n") as store, connect(f"{scheme}://", namespace="n") as other:
        store.create(Count(name="a"))

        assert (["a"], []) == (names(store), names(other))


def test_asyncio_store_sees_what_a_blocking_store_wrote(shared):
    """The two kinds of stores open the same data."""

    async def read():
        async with connect_async(shared, namespace="n") as store:
            await store.create(Count(name="b"))
            return (await store.get(Count, "a")).name

    with connect(shared, namespace="n") as store:
        store.create(Count(name="a"))

        assert "a" == asyncio.run(read())
        assert ["a", "b"] == names(store)


def test_threads_lose_no_update(shared):
    """Transactions of several threads are serializable, each thread with a store of its own."""
    with connect(shared, namespace="n") as store:
        store.create(Count(name="a"))

    def raise_it(_thread):
        def once(tx):
            found = tx.get(Count, "a")
            tx.update(found.model_copy(update={"value": found.value + 1}))

        with connect(shared, namespace="n", retry=RetryPolicy(deadline_s=100)) as own:
            for _ in range(TURNS):
                own.run(once)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(raise_it, range(THREADS)))

    with connect(shared, namespace="n") as store:
        assert THREADS * TURNS == store.get(Count, "a").value


def test_stand_in_promises_no_durability(scheme):
    """DUR-1, DUR-2: it says what it is, and refuses a demand for more."""
    with connect(f"{scheme}://", namespace="n") as store:
        assert (scheme, Durability.VOLATILE) == (store.guarantees.backend, store.guarantees.durability)

    with pytest.raises(Misconfigured), connect(f"{scheme}://", namespace="n", require="local-1s"):
        pass


@pytest.mark.parametrize("rest", ["", ":", ":/a", "://host:6379", "://a/0", "://a?b=c", "://a b"])
def test_url_of_a_stand_in_with_more_than_a_name_is_refused(scheme, rest):
    """A stand-in has neither host nor options, so whoever writes them means something else."""
    with pytest.raises(InvalidCall):
        connect(scheme + rest, namespace="n")


def test_client_of_a_stand_in_is_refused():
    """A stand-in is chosen by its URL; the error says so."""
    with pytest.raises(InvalidCall) as caught:
        connect(FakeRedis(), namespace="n")

    assert "fakeredis://" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "missing"), [("fakeredis", "fakeredis"), ("fakeredis", "lupa"), ("mongomock", "mongomock")]
)
def test_stand_in_that_is_not_installed_is_refused(monkeypatch, wanted, missing):
    """The error names the extra to install; a fakeredis without its Lua is no fakeredis for this."""
    monkeypatch.delitem(sys.modules, HOMES[wanted], raising=False)
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(NotSupported) as caught:
        connect(f"{wanted}://", namespace="n")

    assert missing in caught.value.why[0]
    assert "emco-store[fakes]" in caught.value.hint


def test_look_at_a_stand_in_says_that_it_is_one(scheme, shared):
    """The doctor's report names it and counts its records."""
    with connect(shared, namespace="n") as store:
        store.create(Count(name="a"))

    report = inspect(shared, namespace="n")

    assert (scheme, True, {"Count": 1}) == (report.backend, report.is_well, dict(report.records or {}))
    assert "stands in" in report.findings[0].value


def test_command_on_a_stand_in_says_that_it_forgets(scheme, tmp_path, capsys):
    """The data ends with the command, as with memory://, and the command says so."""
    bundle = tmp_path / "bundle.yaml"
    bundle.write_text("version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: p1}\n")

    assert 0 == main(["apply", "-f", str(bundle), "--store", f"{scheme}://"])
    assert f"{scheme}:// forgets everything now" in capsys.readouterr().err
