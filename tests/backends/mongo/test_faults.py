"""Failure is part of the interface: success, a typed error, or an unknown outcome that can be settled."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from emco_store import (
    AlreadyExists,
    InvalidCall,
    Outcome,
    StoreError,
    Unavailable,
    UnknownOutcome,
    connect,
    connect_async,
)
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.contracts.atomicity import TimedIds
from emco_store.ports import Commit, Outcome as PortOutcome, Settle, Unreachable
from tests.backends.mongo.conftest import Thing

BRIEF = timedelta(seconds=2)
"""The deadline of calls that are refused until it has passed."""
TRANSIENT = {"errorLabels": ["TransientTransactionError"]}
RIDDEN_OUT = {
    "conflict-once": ("update", 1, {"errorCode": 112, **TRANSIENT}),
    "conflict-often": ("update", 20, {"errorCode": 112, **TRANSIENT}),
    "conflict-at-commit": ("commitTransaction", 3, {"errorCode": 112, **TRANSIENT}),
    "transaction-ended": ("update", 2, {"errorCode": 251, **TRANSIENT}),
    "primary-moved": ("update", 1, {"errorCode": 10107}),
    "primary-moved-at-commit": ("commitTransaction", 1, {"errorCode": 10107}),
    "shutting-down-at-commit": ("commitTransaction", 1, {"errorCode": 91}),
    "cut-at-update": ("update", 1, {"closeConnection": True}),
    "cut-at-commit": ("commitTransaction", 1, {"closeConnection": True}),
    "cut-at-commit-twice": ("commitTransaction", 2, {"closeConnection": True}),
    "cut-at-find": ("find", 2, {"closeConnection": True}),
    "not-confirmed": ("commitTransaction", 1, {"writeConcernError": {"code": 91, "errmsg": "planned"}}),
    "not-confirmed-in-time": ("commitTransaction", 1, {"writeConcernError": {"code": 64, "errmsg": "planned"}}),
}


class Cut(CommandListener):
    """Cancels a task when a command begins."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.task: asyncio.Task[Any] | None = None

    def started(self, event: Any) -> None:
        """Cancel the task, once."""
        if event.command_name == self.command and self.task is not None:
            self.task.cancel()
            self.task = None

    def succeeded(self, event: Any) -> None:
        """See the base class."""

    def failed(self, event: Any) -> None:
        """See the base class."""


@pytest.mark.parametrize("case", RIDDEN_OUT)
def test_commit_with_a_passing_fault_happens_once(store, fail, case):
    """A fault that passes costs time and nothing else (ATM-2)."""
    command, times, data = RIDDEN_OUT[case]
    old = store.create(Thing(name="a"))
    fail(command, times, **data)

    new = store.update(old.model_copy(update={"note": "new"}))

    assert ("new", 2) == (store.get(Thing, "a").note, new.meta.version)


def test_commits_with_faults_at_random_happen_once(store, fail):
    """With one command in four refused, every commit still happens once (ATM-2)."""
    thing = store.create(Thing(name="a"))
    fail("update", {"activationProbability": 0.25}, errorCode=112, **TRANSIENT)

    for number in range(20):
        thing = store.update(thing.model_copy(update={"note": str(number)}))

    assert ("19", 21) == (store.get(Thing, "a").note, thing.meta.version)


def test_commit_that_always_collides_is_unavailable_within_its_deadline(namespace, fail, url):
    """The port gives up after its deadline, in seconds, and nothing is written (ATM-3)."""
    with MongoClient(url) as client:
        port = MongoBackend(client).port(namespace)
        port._deadline_s = 0.2
        port.open()
        fail("update", {"activationProbability": 1.0}, errorCode=112, **TRANSIENT)

        with pytest.raises(Unreachable):
            port.ask(Commit("x", deletes=(Thing(name="a").key,)))
        assert PortOutcome.ABORTED == port.ask(Settle("x"))


def test_commit_that_is_never_answered_is_settled_by_its_txid(store, fail):
    """When no reply to a commit comes, ``resolve`` says how it ended, and that stays so (ATM-4, ATM-5)."""
    fail("commitTransaction", {"activationProbability": 1.0}, errorCode=50)

    with pytest.raises((UnknownOutcome, Unavailable)) as caught:
        store.create(Thing(name="a"), deadline=BRIEF)
    fail("commitTransaction", "off")

    if isinstance(caught.value, UnknownOutcome):
        happened = store.resolve(caught.value.txid) is Outcome.COMMITTED
        assert happened == bool(store.list(Thing).items)
    else:
        assert () == store.list(Thing).items


@pytest.mark.parametrize("command", ["find", "update", "commitTransaction", "findAndModify"])
@pytest.mark.parametrize("code", [2, 8, 13, 50, 96, 10334])
def test_refusal_by_the_server_is_a_typed_error_without_the_document(store, fail, command, code):
    """No bare error of the driver leaves the store, and none holds what was stored."""
    fail(command, {"activationProbability": 1.0}, errorCode=code)

    calls = {
        "find": lambda: store.get(Thing, "a", deadline=BRIEF),
        "findAndModify": lambda: store.resolve("some", deadline=BRIEF),
    }

    with pytest.raises(StoreError) as caught:
        calls.get(command, lambda: store.create(Thing(name="a", note="secret-note"), deadline=BRIEF))()

    assert "secret-note" not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"


def test_closed_client_is_an_invalid_call(url, namespace):
    """A client that its owner has closed is a mistake in the program."""
    client = MongoClient(url)
    with connect(client, namespace=namespace) as store:
        client.close()

        with pytest.raises(InvalidCall):
            store.get(Thing, "a")
        with pytest.raises(InvalidCall):
            store.create(Thing(name="a"))


@pytest.mark.parametrize("moment", ["started", "succeeded"])
@pytest.mark.parametrize("command", ["hello", "buildInfo", "createIndexes", "update", "commitTransaction"])
def test_client_that_dies_in_a_commit_leaves_all_or_nothing(root, store, url, command, moment):
    """After a client ends at any command, its txid tells whether all or nothing was written (ATM-1, ATM-5)."""
    run = [sys.executable, "-m", "tests.backends.mongo.dying_client", url, store.namespace, command, moment]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - our own file
    assert 9 == done.returncode, done.stderr
    root.admin.command("killAllSessions", [])  # as the server itself does after transactionLifetimeLimitSeconds

    outcome = store.resolve("the-txid")

    committed = (command, moment) == ("commitTransaction", "succeeded")
    names = [thing.name for thing in store.list(Thing)]
    assert ["a", "b"] * (outcome is Outcome.COMMITTED) == names
    assert outcome is Outcome.COMMITTED or not committed


@pytest.mark.parametrize("command", ["update", "commitTransaction"])
def test_task_that_is_cancelled_in_a_commit_leaves_no_transaction_open(url, namespace, root, command):
    """The caller gets its cancellation, and the next writer is not blocked by what it left (ATM-1)."""
    cut = Cut(command)

    async def scenario() -> None:
        async with connect_async(url, namespace=namespace) as store:
            await store.create(Thing(name="a"))
        from pymongo import AsyncMongoClient  # noqa: PLC0415 - it belongs to this loop

        async with (
            AsyncMongoClient(url, event_listeners=[cut]) as client,
            connect_async(client, namespace=namespace) as store,
        ):
            thing = await store.get(Thing, "a")
            cut.task = asyncio.ensure_future(store.update(thing.model_copy(update={"note": "cut"})))
            with pytest.raises(asyncio.CancelledError):
                await cut_task(cut)
            assert not open_transactions(root)
            thing = await store.get(Thing, "a")
            await store.update(thing.model_copy(update={"note": "next"}))

    asyncio.run(scenario())


async def cut_task(cut: Cut) -> None:
    """Wait for the task that will be cancelled."""
    assert cut.task is not None
    await cut.task


def open_transactions(root: MongoClient[Any]) -> list[Any]:
    """Return the transactions that are open on the server."""
    stages = [{"$currentOp": {"idleSessions": True}}, {"$match": {"transaction": {"$exists": True}}}]
    return list(root.admin.aggregate(stages))


def test_create_of_what_is_there_is_no_doubt_about_the_driver(store):
    """A duplicate key in the server is a typed refusal here (ID-1)."""
    store.create(Thing(name="a"))

    with pytest.raises(AlreadyExists):
        store.create(Thing(name="a"))


@pytest.mark.parametrize("many", [False, True], ids=["one", "a group"])
@pytest.mark.parametrize("hours", [0, 14, -14], ids=["right", "ahead", "behind"])
def test_outcome_of_a_client_whose_clock_is_ahead_is_remembered_for_longer(url, namespace, records, hours, many):
    """The age of a commit is judged by its txid, so it must be remembered from that time on (ATM-5)."""
    ahead = timedelta(hours=hours)
    late = max(ahead, timedelta(0))
    with connect(url, namespace=namespace, ids=TimedIds(ahead)) as store:
        if many:  # as many as need more than one command
            with store.transaction() as tx:
                for number in range(40):
                    tx.create(Thing(name=f"t{number}"))
        else:
            store.create(Thing(name="a"))
        assert Outcome.ABORTED == store.resolve(TimedIds(late).new())

    now = datetime.now(UTC).replace(tzinfo=None)  # noqa: TID251 - the server's, which is on this machine
    times = [document["t"] - now for document in records.find({"o": {"$exists": True}})]

    assert len(times) == 2
    assert all(late - timedelta(minutes=5) < each < late + timedelta(minutes=5) for each in times)
