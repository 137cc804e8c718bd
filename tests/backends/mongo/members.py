"""A replica set of three whose members are stopped and moved, and writers that remember what they were told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from time import monotonic
from typing import Annotated, Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from emco_store import (
    SET_NULL,
    Conflict,
    MissingReference,
    NotFound,
    Outcome,
    Ref,
    Resource,
    Store,
    Unavailable,
    UnknownOutcome,
    on_delete,
)
from emco_store.contracts.harness import scanned
from emco_store.ports import Scan
from tests.servers.mongo import MongoProcess, replica_set
from tests.servers.process import HOST, ServerMissing

ENOUGH_S = 90.0
"""How long a change of the set may take on a slow machine; most take 2 to 4 seconds."""


class Hot(Resource):
    """Everybody refers to it, and it comes and goes."""


class Mark(Resource):
    """One for each commit of a writer."""

    to: Annotated[Ref[Hot] | None, on_delete(SET_NULL)] = None


class Tally(Resource):
    """Counts the commits of one writer."""

    count: int = 0


class ReplicaSet:
    """A replica set, and a client that may do everything in it.

    Args:
        url: Its URL.
        members: Its members.
    """

    def __init__(self, url: str, members: Sequence[MongoProcess]) -> None:
        self.url = url
        self.members = members
        self.client: MongoClient[Any] = MongoClient(
            url, heartbeatFrequencyMS=500, serverSelectionTimeoutMS=5000, socketTimeoutMS=10_000
        )

    @property
    def primary(self) -> MongoProcess:
        """The primary, once there is one."""
        until(lambda: self._primary is not None)
        return self._primary or self.primary

    @property
    def _primary(self) -> MongoProcess | None:
        known = self.client.primary
        return next((one for one in self.members if known and one.port == known[1]), None)

    def wait_for_another(self, old: MongoProcess) -> None:
        """Wait until another member is the primary."""
        until(lambda: self._primary not in {None, old})

    def settle(self) -> None:
        """Wait until there is one primary and all others follow it."""
        wanted = ["PRIMARY", *["SECONDARY"] * (len(self.members) - 1)]
        until(lambda: sorted(self._states()) == wanted)

    def step_down(self) -> None:
        """Move the primary, whichever it is at the moment."""
        with suppress(AutoReconnect, OperationFailure):  # it has stepped down, or was none any more
            self.client.admin.command("replSetStepDown", 1, secondaryCatchUpPeriodSecs=1, force=True)

    def freeze(self, member: MongoProcess) -> None:
        """Keep a secondary from becoming primary for two seconds."""
        with (
            suppress(AutoReconnect, OperationFailure),  # it has just become primary
            MongoClient[Any](HOST, member.port, directConnection=True, serverSelectionTimeoutMS=5000) as client,
        ):
            client.admin.command("replSetFreeze", 2)

    def _states(self) -> list[str]:
        try:
            return [member["stateStr"] for member in self.client.admin.command("replSetGetStatus")["members"]]
        except (AutoReconnect, OperationFailure):
            return []


@contextmanager
def own_set(size: int, *options: str, query: str = "") -> Iterator[tuple[str, list[MongoProcess]]]:
    """Run a replica set as :func:`tests.servers.mongo.replica_set` does; skip the test where there is no MongoDB."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(replica_set(size, *options, query=query))
        except ServerMissing as problem:
            pytest.skip(str(problem))
        yield found


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: It has not come true within a generous time.
    """
    end = monotonic() + ENOUGH_S
    pause = threading.Event()
    while not holds():
        assert monotonic() < end, "the replica set does not come to what the test waits for"
        pause.wait(0.05)


class Writers:
    """Threads that commit until they are told to stop, and remember what they were told.

    Each makes marks, which refer to what another thread deletes and makes again, and counts in a tally of its own.
    """

    def __init__(self, store: Store, number: int = 3) -> None:
        self.surprises: list[BaseException] = []
        self._store = store
        self._told: dict[str, bool | str] = {}  # for each mark
        self._counted: list[list[bool | str]] = [[] for _ in range(number)]  # for each tally
        self._ended = threading.Event()
        self._hots = [store.put(Hot(name=f"h{at}")) for at in range(2)]
        self._tallies = [store.put(Tally(name=f"t{at}")) for at in range(number)]
        self._threads = [threading.Thread(target=self._write, args=(at,), daemon=True) for at in range(number)]
        self._threads.append(threading.Thread(target=self._come_and_go, daemon=True))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let them write meanwhile, from the first acknowledged commits until some that were made after the block."""
        for thread in self._threads:
            thread.start()
        try:
            self._until_acknowledged(10)
            yield
            self._until_acknowledged(10)
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(ENOUGH_S)
        assert not any(thread.is_alive() for thread in self._threads), "a call has not ended"

    def check(self) -> None:
        """See that what is stored is what they were told, each commit once, when every unknown one is settled."""
        if self.surprises:
            message = "writers were told what nobody can act on"
            raise BaseExceptionGroup(message, self.surprises)
        assert {name for name, told in self._told.items() if self._happened(told)} == {
            mark.name for mark in self._all(Mark)
        }
        expected = {f"t{at}": sum(map(self._happened, told)) for at, told in enumerate(self._counted)}
        assert expected == {tally.name: tally.count for tally in self._all(Tally)}
        assert [] == dangling(self._store)

    def _until_acknowledged(self, more: int) -> None:
        wanted = list(self._told.values()).count(True) + more
        until(lambda: bool(self.surprises) or list(self._told.values()).count(True) >= wanted)

    def _happened(self, told: bool | str) -> bool:  # noqa: FBT001 - what an attempt has come to
        return told if isinstance(told, bool) else self._store.resolve(told) is Outcome.COMMITTED

    def _write(self, writer: int) -> None:
        for number in count():
            if self._ended.is_set():
                return
            mark = Mark(name=f"w{writer}-{number}", to=Ref(self._hots[number % 2].key))
            self._told[mark.name] = self._attempt(partial(self._store.create, mark))
            self._counted[writer].append(self._attempt(partial(self._count, f"t{writer}")))

    def _count(self, name: str) -> None:
        tally = self._store.get(Tally, name)
        self._store.update(tally.model_copy(update={"count": tally.count + 1}))

    def _come_and_go(self) -> None:
        while not self._ended.wait(0.05):
            for hot in self._hots:
                self._attempt(partial(self._store.delete, hot.key))
                self._attempt(partial(self._store.put, Hot(name=hot.name)))

    def _attempt(self, call: Callable[[], object]) -> bool | str:
        """Say whether it was acknowledged; or its transaction, where that is unknown."""
        try:
            call()
        except UnknownOutcome as problem:
            txid: str = problem.txid
            return txid
        except (Unavailable, Conflict, MissingReference, NotFound):
            return False
        except BaseException as problem:  # noqa: BLE001 - the test tells it
            self.surprises.append(problem)
            return False
        return True

    def _all(self, model: type[Any]) -> Iterator[Any]:
        after = None
        while True:
            page = self._store.list(model, limit=1000, after=after)
            yield from page
            after = page.next
            if after is None:
                return


def dangling(store: Store) -> list[str]:
    """Name the references that resolve nowhere."""
    port: Any = store._port
    records = {record.key.text: record for record in scanned(port, Scan(None))}
    return [
        f"{text} -> {edge.target}"
        for text, record in records.items()
        for edge in record.edges
        if edge.target.text not in records
    ]
