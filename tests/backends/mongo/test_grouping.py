"""Group commit: what many tasks of one store commit at once goes to the server as one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener

from emco_store import AsyncStore, Conflict, Key, MissingReference, Resource, connect_async
from emco_store.backends.batcher import Ticket
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.task import TaskMongoPort
from emco_store.ports import Commit, Receipt, Refusal

pytestmark = pytest.mark.mongo
WRITERS = 20


class Root(Resource):
    """What others stand under."""

    note: str = ""


class Leaf(Resource, parent=Root):
    """What many writers create."""


class Counting(CommandListener):
    """Counts the commands that are sent."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def started(self, event: Any) -> None:
        """Count one."""
        self.sent[event.command_name] += 1

    def succeeded(self, event: Any) -> None:
        """Do nothing."""

    def failed(self, event: Any) -> None:
        """Do nothing."""


class AnswersTooEarly(TaskMongoPort):
    """A mutant: tells the members of a group that they are done when they are about to be sent."""

    async def _carry_out(self, group: Sequence[Ticket[Commit, Receipt | Refusal]]) -> None:
        for ticket in group:
            ticket.answer(Receipt(ticket.request.txid))
        inner = [Ticket[Commit, Receipt | Refusal](ticket.request) for ticket in group]
        await super()._carry_out(inner)


class Reverses(TaskMongoPort):
    """A mutant: carries the members of a group out in another order than they came in."""

    async def _carry_out(self, group: Sequence[Ticket[Commit, Receipt | Refusal]]) -> None:
        await super()._carry_out(group[::-1])


Run = Callable[[Callable[[AsyncStore, Counting], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def run(url: str, namespace: str) -> Run:
    """Run a test on a store in an event loop of its own."""

    def go(test: Callable[[AsyncStore, Counting], Coroutine[Any, Any, None]]) -> None:
        async def inside() -> None:
            counting = Counting()
            async with (
                AsyncMongoClient(url, event_listeners=[counting]) as client,
                connect_async(client, namespace=namespace) as store,
            ):
                await test(store, counting)

        asyncio.run(inside())

    return go


async def burst(store: AsyncStore, fail: Callable[..., None], **fault: Any) -> list[Any]:
    """Let one commit take a second, and send many in the meantime; the fault meets what goes next."""
    fail("commitTransaction", blockConnection=True, blockTimeMS=1000)
    first = asyncio.create_task(store.create(Leaf(name="first", parent="Root/r")))
    await asyncio.sleep(0.3)
    if fault:
        fail(**fault)
    calls = [store.create(Leaf(name=f"l{number:02}", parent="Root/r")) for number in range(WRITERS)]
    replies = await asyncio.gather(*calls, return_exceptions=True)
    await first
    return replies


async def names(store: AsyncStore) -> list[str]:
    """Return the names of all leaves."""
    return [leaf.name for leaf in await store.list(Leaf)]


ALL = ["first", *(f"l{number:02}" for number in range(WRITERS))]


def test_commits_that_wait_for_one_go_as_one_transaction(run: Run, fail: Callable[..., None]) -> None:
    """Twenty creates that meet one on its way cost one transaction together, of two commands."""

    async def test(store: AsyncStore, counting: Counting) -> None:
        await store.create(Root(name="r"))
        counting.sent.clear()
        replies = await burst(store, fail)
        assert [] == [reply for reply in replies if isinstance(reply, BaseException)]
        assert {"update": 2, "insert": 1, "commitTransaction": 2} == dict(counting.sent)
        assert ALL == await names(store)

    run(test)


def test_commit_that_fails_in_a_group_leaves_the_others_alone(run: Run, fail: Callable[..., None]) -> None:
    """A member whose parent is missing and one that is stale are told so, and the rest happens in one transaction."""

    async def test(store: AsyncStore, counting: Counting) -> None:
        old = await store.create(Root(name="r"))
        new = await store.update(old.model_copy(update={"note": "1"}))
        counting.sent.clear()
        fail("commitTransaction", blockConnection=True, blockTimeMS=1000)
        first = asyncio.create_task(store.create(Leaf(name="first", parent="Root/r")))
        await asyncio.sleep(0.3)
        replies = await asyncio.gather(
            store.create(Leaf(name="a", parent="Root/r")),
            store.create(Leaf(name="b", parent="Root/tombstone")),
            store.update(old.model_copy(update={"note": "2"})),
            store.update(new.model_copy(update={"note": "3"})),
            store.create(Leaf(name="c", parent="Root/r")),
            return_exceptions=True,
        )
        await first
        assert [Leaf, MissingReference, Conflict, Root, Leaf] == [type(reply) for reply in replies]
        assert 2 == counting.sent["commitTransaction"]
        assert ["a", "c", "first"] == await names(store)
        assert "3" == (await store.get(Root, "r")).note

    run(test)


@pytest.mark.parametrize(
    "fault",
    [
        {"command": "update", "errorCode": 112, "errorLabels": ["TransientTransactionError"]},
        {"command": "update", "errorCode": 388},
        {"command": "update", "closeConnection": True},
        {"command": "insert", "errorCode": 112, "errorLabels": ["TransientTransactionError"]},
        {"command": "insert", "closeConnection": True},
        {"command": "commitTransaction", "closeConnection": True},
        {"command": "commitTransaction", "errorCode": 91},
        {"command": "find", "closeConnection": True},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_group_that_meets_a_fault_happens_once(run: Run, fail: Callable[..., None], fault: dict[str, Any]) -> None:
    """Whatever becomes of the group's transaction, each member ends well, and once."""

    async def test(store: AsyncStore, counting: Counting) -> None:
        await store.create(Root(name="r"))
        counting.sent.clear()
        replies = await burst(store, fail, **fault)
        assert [] == [reply for reply in replies if isinstance(reply, BaseException)]
        assert ALL == await names(store)
        assert {1} == {leaf.meta.version for leaf in await store.list(Leaf)}

    run(test)


def test_leader_that_is_cancelled_takes_nobody_along(run: Run, fail: Callable[..., None]) -> None:
    """The one in whose task a group goes is cancelled; the group ends all the same."""

    async def test(store: AsyncStore, _: Counting) -> None:
        await store.create(Root(name="r"))
        fail("commitTransaction", {"times": 2}, blockConnection=True, blockTimeMS=500)
        first = asyncio.create_task(store.create(Leaf(name="first", parent="Root/r")))
        await asyncio.sleep(0.2)
        tasks = [
            asyncio.create_task(store.create(Leaf(name=f"l{number:02}", parent="Root/r"))) for number in range(WRITERS)
        ]
        await first
        await asyncio.sleep(0.2)
        tasks[0].cancel()
        replies = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(replies[0], asyncio.CancelledError)
        assert [] == [reply for reply in replies[1:] if isinstance(reply, BaseException)]
        assert set(ALL) - {"l00"} <= set(await names(store))

    run(test)


async def pair(url: str, namespace: str, kind: type[TaskMongoPort], fail: Callable[..., None], *, broken: bool) -> bool:
    """Send a root and a leaf under it as one group; tell whether the callers were told what is there."""

    class Backend(MongoBackend):
        def async_port(self, namespace: str) -> TaskMongoPort:
            return kind(AsyncMongoClient(url), DATABASE, namespace, owned=True, deadline_s=2.0)

    async with connect_async(Backend(url), namespace=namespace) as store:
        await store.create(Root(name="warm"))
        fail("commitTransaction", blockConnection=True, blockTimeMS=1000)
        first = asyncio.create_task(store.create(Root(name="first")))
        await asyncio.sleep(0.3)
        calls = [asyncio.create_task(store.create(one)) for one in (Root(name="t"), Leaf(name="u", parent="Root/t"))]
        await first
        if broken:
            fail("update", 10_000, errorCode=112, errorLabels=["TransientTransactionError"])
        replies = await asyncio.gather(*calls, return_exceptions=True)
        fail("update", 0, errorCode=112)
        found = await store.get_many([Key("Root", "t"), Key("Leaf", "t", "u")], missing_ok=True)
        return (
            [isinstance(reply, Resource) for reply in replies] == [one is not None for one in found] == [not broken] * 2
        )


@pytest.mark.parametrize(
    ("kind", "broken", "is_right"),
    [
        (TaskMongoPort, False, True),
        (TaskMongoPort, True, True),
        (AnswersTooEarly, True, False),
        (Reverses, False, False),
    ],
)
def test_broken_grouping_is_noticed(
    url: str, namespace: str, fail: Callable[..., None], kind: type[TaskMongoPort], *, broken: bool, is_right: bool
) -> None:
    """With a reply before the end of the transaction, or another order, callers are not told what is there."""
    assert is_right == asyncio.run(pair(url, namespace, kind, fail, broken=broken))
