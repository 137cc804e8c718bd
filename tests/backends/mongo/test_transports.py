"""How commands reach the server: pinned connections, and transactions of one command."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import bson
import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import AutoReconnect

from emco_store import MissingReference, NotSupported, Ref, Resource, Store, connect, connect_async
from emco_store.backends.mongo import commands, sync as port
from emco_store.backends.mongo.commands import FEW
from emco_store.backends.mongo.errors import NO_SUCH_TRANSACTION, Collided
from emco_store.backends.mongo.fast import aio, sync
from emco_store.backends.mongo.fast.messages import FLAGS_AT, MORE_TO_COME
from emco_store.backends.mongo.fast.sync import PINNED, FastTransport
from emco_store.backends.mongo.sync_transport import PlainTransport
from emco_store.core.keys import Key
from emco_store.ports import Commit
from tests.backends.mongo.conftest import Thing
from tests.backends.mongo.test_clients import connections
from tests.backends.test_round_trips import Heard
from tests.servers.process import HOST
from tests.servers.proxy import Proxy

THREADS = 8


class Part(Resource, parent=Thing):
    """Has a parent, and refers to many."""

    things: list[Ref[Thing]] = []


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many messages went to the server at once and for how many replies, each time that some did."""
    found: list[tuple[int, int]] = []
    send, send_async = sync._Pinned.exchange, aio._AsyncPinned.exchange

    def exchange(pinned: Any, sent: bytes, numbers: tuple[int, ...], within_s: float) -> list[Any]:
        found.append((messages_in(sent), len(numbers)))
        return send(pinned, sent, numbers, within_s)

    async def exchange_async(pinned: Any, sent: bytes, numbers: tuple[int, ...], within_s: float) -> list[Any]:
        found.append((messages_in(sent), len(numbers)))
        return await send_async(pinned, sent, numbers, within_s)

    monkeypatch.setattr(sync._Pinned, "exchange", exchange)
    monkeypatch.setattr(aio._AsyncPinned, "exchange", exchange_async)
    return found


def messages_in(sent: bytes) -> int:
    """Count the messages that are sent at once."""
    number = 0
    while sent:
        number += 1
        sent = sent[int.from_bytes(sent[:4], "little") :]
    return number


def part(number: int) -> Part:
    """Make a part that refers to so many things, its parent included."""
    return Part(parent=Ref("Thing/t0"), name=f"p{number}", things=[Ref(f"Thing/t{at}") for at in range(1, number)])


def fill(store: Store, number: int) -> None:
    """Create things."""
    with store.transaction() as tx:
        for at in range(number):
            tx.create(Thing(name=f"t{at}"))


def create_many(store: Store) -> None:
    """Create many at once."""
    with store.transaction() as tx:
        for at in range(2 * FEW):
            tx.create(Thing(name=f"new{at}"))


def create_under_none(store: Store) -> None:
    """Be refused."""
    with pytest.raises(MissingReference):
        store.create(Part(parent=Ref("Thing/absent"), name="p"))


ONE, ALL, WHY = (1, 1), (2, 1), (2, 2)
"""A command; one with its end, to which alone there is a reply; the same with a reply to both."""
CALLS: dict[str, tuple[Callable[[Store], object], list[tuple[int, int]]]] = {
    "get": (lambda store: store.get(Thing, "t0"), [ONE]),
    "list": (lambda store: store.list(Thing), [ONE]),
    "create": (lambda store: store.create(Thing(name="new")), [ALL]),
    "create with few references": (lambda store: store.create(part(FEW)), [ALL]),
    "create with many references": (lambda store: store.create(part(FEW + 1)), [ONE, ONE]),
    "create of many": (create_many, [ONE, ONE, ONE]),
    "delete": (lambda store: store.delete(store.get(Thing, "t1")), [ONE, ONE, ALL]),
    "create that is refused": (create_under_none, [ALL]),
}
"""Calls, and how many messages go at once, for how many replies."""


@pytest.mark.parametrize("call", list(CALLS))
def test_end_of_a_transaction_goes_behind_its_only_command(store, exchanges, call):
    """Where all of it is one command that fails when it finds too little, the end goes before its reply is there."""
    work, expected = CALLS[call]
    fill(store, FEW + 2)
    exchanges.clear()

    work(store)

    assert expected == exchanges


def test_commit_that_failed_without_a_reply_and_may_go_is_sent_for_one(store, exchanges, fail):
    """What has met another is sent again after a look at what it rests on, so that its next failure is known."""
    exchanges.clear()
    fail("update", 2, errorCode=112)

    assert "new" == store.create(Thing(name="new")).name
    assert [ALL, WHY, WHY] == exchanges


def test_asyncio_sends_the_same(url, namespace, exchanges):
    """A create is one message of two commands for asyncio, too."""

    async def scenario() -> None:
        async with connect_async(url, namespace=namespace) as store:
            exchanges.clear()
            await store.create(Thing(name="a"))
            await store.get(Thing, "a")

    asyncio.run(scenario())
    assert [ALL, ONE] == exchanges


def unanswered(sent: bytes) -> bool:
    """Tell whether the server is told not to reply to the first of the messages."""
    return bool(sent[FLAGS_AT] & MORE_TO_COME)


def refuse(send: Any, *sent: Any) -> list[Any]:
    """Be a server that carries out no command without a reply."""
    return [bson.encode({"ok": 0.0, "code": NO_SUCH_TRANSACTION})] if unanswered(sent[1]) else send(*sent)


def hang_up(send: Any, *sent: Any) -> list[Any]:
    """Be a server that ends the connection there."""
    if unanswered(sent[1]):
        raise AutoReconnect
    return send(*sent)  # type: ignore[no-any-return]  # as the transport has it


def accept(send: Any, *sent: Any) -> list[Any]:
    """Be a server that commits whatever has become of it."""
    return [bson.encode({"ok": 1.0})] if unanswered(sent[1]) else send(*sent)


@pytest.mark.parametrize("behave", [refuse, hang_up, accept])
def test_server_that_does_not_take_commands_without_replies_replies_to_all(url, namespace, monkeypatch, behave):
    """A store sees that when it is opened."""
    send = sync._Pinned.exchange
    with monkeypatch.context() as patched:
        patched.setattr(sync._Pinned, "exchange", lambda *sent: behave(send, *sent))
        opened = connect(url, namespace=namespace)
    found: list[bool] = []
    monkeypatch.setattr(sync._Pinned, "exchange", lambda *sent: found.append(unanswered(sent[1])) or send(*sent))
    with opened as store:
        store.create(Thing(name="a"))

    assert [False] == found


def test_commit_that_has_no_time_left_is_not_sent_again(store, exchanges, monkeypatch):
    """END-1: Where a commit has failed at its deadline, nobody asks why."""
    send = store._port._transaction([Commit("t", require=frozenset({Key.parse("Thing/absent")}))])
    monkeypatch.setattr(port, "monotonic", count(0.0, 10.0).__next__)
    exchanges.clear()

    with pytest.raises(Collided):
        send(10.0)

    assert [ALL] == exchanges


def test_end_that_finds_no_transaction_is_noticed(store, monkeypatch):
    """Where the reply to the end alone counts, taking each for a success makes a create under no parent one (REF-1)."""
    create_under_none(store)
    monkeypatch.setattr(sync, "is_plain_success", lambda _: True)

    assert "p" == store.create(Part(parent=Ref("Thing/absent"), name="p")).name


def test_statement_that_is_not_strict_would_be_noticed(store, monkeypatch):
    """With statements that insert where they find nothing, a create under no parent is done (REF-1)."""
    with pytest.raises(MissingReference):
        store.create(part(1))
    monkeypatch.setattr(commands, "_NEVER_MADE", {})

    assert "p1" == store.create(part(1)).name


def test_server_that_commits_in_spite_of_a_failure_is_not_supported(url, namespace, monkeypatch):
    """A store sees when it is opened that the end of a transaction fails behind a part that has failed."""
    send = sync._Pinned.exchange

    def exchange(pinned: Any, sent: bytes, numbers: tuple[int, ...], within_s: float) -> list[Any]:
        replies = send(pinned, sent, numbers, within_s)
        return [*replies[:-1], bson.encode({"ok": 1.0})]

    monkeypatch.setattr(sync._Pinned, "exchange", exchange)

    with pytest.raises(NotSupported):
        connect(url, namespace=namespace)


def test_own_client_keeps_its_connection(store, root, namespace):
    """Calls one after the other use one connection, and one session on the server."""
    for number in range(20):
        store.create(Thing(name=f"t{number}"))
        store.get(Thing, f"t{number}")
    transport: Any = store._port._transport  # type: ignore[attr-defined]  # the port is one of MongoDB

    assert isinstance(transport, FastTransport)
    assert 1 == len(transport._idle)
    assert connections(root, namespace)


def test_client_that_was_handed_in_gets_its_connections_back(url, namespace):
    """A client of somebody else's is not deprived of connections, even if it may have only one."""
    with MongoClient[Any](url, maxPoolSize=1) as client, connect(client, namespace=namespace) as store:
        store.create(Thing(name="a"))
        transport: Any = store._port._transport  # type: ignore[attr-defined]

        assert [] == transport._idle
        assert 1 == client.admin.command("ping")["ok"]
        assert () == store.check().flaws


@pytest.mark.parametrize("most", [1, 2, 3])
def test_small_pool_is_enough(url, namespace, most):
    """What PyMongo does itself finds a connection beside those that are kept."""
    with connect(f"{url}&maxPoolSize={most}", namespace=namespace) as store:
        store.create(Thing(name="a"))
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: store.get(Thing, "a"), range(50)))

        assert () == store.check().flaws
        assert "aborted" == store.resolve("another")


@pytest.mark.parametrize(
    "options", [{"event_listeners": [Heard()]}, {"compressors": "zlib"}], ids=["listener", "compressor"]
)
def test_what_pymongo_is_to_do_with_commands_is_left_to_it(url, namespace, options):
    """Whoever listens hears every command, and whoever wants them smaller gets that."""
    with MongoClient[Any](url, **options) as client, connect(client, namespace=namespace) as store:
        assert 1 == store.create(Thing(name="a")).meta.version
        assert isinstance(store._port._transport, PlainTransport)  # type: ignore[attr-defined]


def test_asyncio_client_that_is_listened_to_is_left_to_pymongo(url, namespace):
    """The same for asyncio."""
    heard = Heard()

    async def scenario() -> None:
        async with (
            AsyncMongoClient[Any](url, event_listeners=[heard]) as client,
            connect_async(client, namespace=namespace) as store,
        ):
            await store.create(Thing(name="a"))

    asyncio.run(scenario())
    assert ["update", "commitTransaction"] == heard.names[-3:-1]


@pytest.fixture
def proxy(mongo_server: Any) -> Iterator[Proxy]:
    """A way to the server that can be cut."""
    made = Proxy(int(mongo_server.url.rpartition(":")[2].partition("/")[0]))
    yield made
    made.close()


@pytest.mark.parametrize("rest_s", [0.0, 2 * sync.FRESH_S])
def test_connections_that_were_cut_are_made_anew(proxy, namespace, monkeypatch, rest_s):
    """What has ended while nobody used it costs another attempt, and no call."""
    with connect(f"mongodb://{HOST}:{proxy.port}/?directConnection=true", namespace=namespace) as store:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda number: store.create(Thing(name=f"t{number}")), range(50)))
        clock = sync.monotonic
        proxy.cut()
        monkeypatch.setattr(sync, "monotonic", lambda: clock() + rest_s)

        assert "t0" == store.get(Thing, "t0").name
        assert "new" == store.create(Thing(name="new")).name
        assert "other" == store.create(Thing(name="other")).name


def test_threads_share_a_store(store):
    """Each request has a connection of its own while it lasts; few are kept afterwards."""
    store.create(Thing(name="t0"))
    begin = threading.Barrier(THREADS)

    def work(number: int) -> int:
        begin.wait()
        for at in range(10):
            store.create(Part(parent=Ref("Thing/t0"), name=f"p{number}-{at}"))
            store.get(Part, "t0", f"p{number}-{at}")
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(range(THREADS)) == list(pool.map(work, range(THREADS)))
    assert 10 * THREADS == len(store.list(Part, limit=1000).items)
    assert len(store._port._transport._idle) <= PINNED  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:MongoClient opened before fork")
def test_process_that_is_forked_uses_no_connection_of_its_parent(store):
    """Parent and child go on side by side, and neither reads what the other was told."""
    store.create(Thing(name="a"))
    child = os.fork()
    if child == 0:  # nothing of pytest may run in it
        code = 1
        try:
            names = {store.get(Thing, "a").name for _ in range(50)}
            code = 0 if names == {"a"} and store.create(Thing(name="child")).name == "child" else 2
        finally:
            os._exit(code)
    for number in range(50):
        store.create(Thing(name=f"t{number}"))

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert "child" == store.get(Thing, "child").name
