"""Gets of several callers in one request, for tasks and threads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from emco_store.backends.batcher import Ticket
from emco_store.backends.mongo import aio_gets, commands
from emco_store.backends.mongo.aio_gets import GROUPS, KEYS, AsyncGets, Found, Keys
from emco_store.backends.mongo.documents import Document, encode
from emco_store.backends.mongo.sync_gets import Gets
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Unreachable
from tests.unit.test_batcher import in_a_loop

BAD = Key("Thing", "bad")
LONG_S = 60.0


def key(number: int) -> Key:
    """Return the key of one thing."""
    return Key("Thing", f"t{number}")


class Server:
    """A collection whose replies are held back after they were made, until they are let go one by one.

    Attributes:
        sent: The ids that were asked for, request by request.
        version: What every record of a reply has as its version.
        problems: What the next requests fail with.
    """

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.version = 1
        self.problems: deque[Exception] = deque()
        self._held: deque[asyncio.Event] | None = deque()

    def answer(self, query: Document, limit: int) -> Sequence[Document]:
        """Note a request, and return the reply to it."""
        wanted = query["_id"]
        ids: list[str] = [wanted] if isinstance(wanted, str) else wanted["$in"]
        assert limit == len(ids)
        self.sent.append(ids)
        if self.problems:
            raise self.problems.popleft()
        if BAD.text in ids:
            raise ValueError(BAD)
        return [self._document(text) for text in ids if text != key(0).text]

    async def ask(self, query: Document, limit: int) -> Sequence[Document]:
        """Answer, once the reply is let go."""
        try:
            return self.answer(query, limit)
        finally:
            if self._held is not None:
                self._held.append(event := asyncio.Event())
                await event.wait()

    async def go(self) -> None:
        """Let all replies go, in order, and hold back no others."""
        held, self._held = self._held, None
        for event in held or ():
            event.set()
            await turn()

    def _document(self, text: str) -> Document:
        record = Record(Key.parse(text), "uid", self.version, b"{}", (), (), (), 0, 0, 0)
        return {"_id": text, **encode(record)[0], "g": 0}


class JoinsWhatIsSent(AsyncGets):
    """A mutant: a get of what somebody has already sent a request for waits for the same reply."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sent: dict[Keys, asyncio.Future[Found]] = {}

    async def get(self, keys: Keys) -> Found:
        """Join, or send a request."""
        if keys not in self._sent:
            self._sent[keys] = asyncio.ensure_future(super().get(keys))
        return await self._sent[keys]


class SharesFailures(AsyncGets):
    """A mutant: what the server refuses to a group, it refuses to each member."""

    async def _lead(self, group: Sequence[Ticket[Keys, Found]]) -> None:
        try:
            await super()._lead(group)
        finally:
            for ticket in group:
                if not ticket.is_served:
                    ticket.fail(ValueError("refused"))


def begin(gets: AsyncGets, *keys: Key) -> list[asyncio.Task[Found]]:
    """Begin a get of each key."""
    return [asyncio.create_task(gets.get((one,))) for one in keys]


async def turn() -> None:
    """Let all tasks go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def busy(server: Server, kind: type[AsyncGets] = AsyncGets) -> tuple[AsyncGets, list[asyncio.Task[Found]]]:
    """Return gets with as many requests on their way as go at once, and their tasks."""
    gets = kind(server.ask, LONG_S)
    first = begin(gets, *map(key, range(1, GROUPS + 1)))
    await turn()
    assert [[key(number).text] for number in range(1, GROUPS + 1)] == server.sent
    server.sent.clear()
    return gets, first


@in_a_loop
async def test_few_gets_go_at_once_and_each_by_itself():
    """As many gets as there may be requests wait for nobody, and each asks for its own key."""
    server = Server()
    _, first = await busy(server)
    await server.go()

    replies = await asyncio.gather(*first)

    assert [[key(number)] for number in range(1, GROUPS + 1)] == [[*reply] for reply in replies]


@in_a_loop
async def test_gets_that_wait_go_together_and_each_gets_its_own():
    """Gets that meet all requests on their way share the next one, which asks for each key once."""
    server = Server()
    gets, first = await busy(server)
    many = asyncio.create_task(gets.get((key(8), key(7))))
    others = begin(gets, key(7), key(9), key(0))
    none = asyncio.create_task(gets.get(()))
    await turn()
    await server.go()

    replies = await asyncio.gather(many, *others, none)
    await asyncio.gather(*first)

    assert [[key(number).text for number in (8, 7, 9, 0)]] == server.sent
    assert [[key(8), key(7)], [key(7)], [key(9)], [], []] == [[*reply] for reply in replies]
    assert all(reply[one].key == one for reply in replies for one in reply)


@pytest.mark.parametrize(("kind", "is_right"), [(AsyncGets, True), (JoinsWhatIsSent, False)])
def test_get_never_joins_a_request_that_is_sent(kind, *, is_right):
    """A get that begins after a commit shows it, although a request for the same key is on its way."""

    async def test() -> None:
        server = Server()
        gets, first = await busy(server, kind)
        server.version = 2
        later = begin(gets, *map(key, range(1, GROUPS + 1)))
        await turn()
        await server.go()
        replies = await asyncio.gather(*later)
        await asyncio.gather(*first)
        assert is_right == ({2} == {record.version for reply in replies for record in reply.values()})

    asyncio.run(test())


@pytest.mark.parametrize(("kind", "is_right"), [(AsyncGets, True), (SharesFailures, False)])
def test_document_that_cannot_be_read_fails_its_own_caller_alone(kind, *, is_right):
    """If a group is refused, each of its members asks by itself, and only the one with the reason fails."""

    async def test() -> None:
        server = Server()
        gets, first = await busy(server, kind)
        calls = begin(gets, key(7), BAD, key(8))
        await turn()
        await server.go()
        replies = await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*first)
        assert is_right == ([dict, ValueError, dict] == [type(reply) for reply in replies])

    asyncio.run(test())


@in_a_loop
async def test_server_that_is_away_fails_each_caller_with_its_own_error():
    """The leader of a group is told that no server answers; each other member asks again, and has its own error."""
    server = Server()
    gets, first = await busy(server)
    server.problems.extend(Unreachable(f"{number}") for number in range(3))
    calls = begin(gets, key(7), key(8), key(9))
    await server.go()

    replies = await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.gather(*first)

    assert [[key(7).text, key(8).text, key(9).text], [key(8).text], [key(9).text]] == server.sent
    assert [Unreachable] * 3 == [type(reply) for reply in replies]
    assert 3 == len({id(reply) for reply in replies})


@in_a_loop
async def test_leader_that_is_cancelled_takes_nobody_along():
    """The one in whose task a group goes is cancelled, and the others send requests of their own."""
    server = Server()
    gets, first = await busy(server)
    calls = begin(gets, key(7), key(8), key(9))
    await turn()
    first[0].cancel()
    await turn()
    assert [[key(7).text, key(8).text, key(9).text]] == server.sent
    calls[0].cancel()
    await server.go()

    replies = await asyncio.gather(*calls, *first, return_exceptions=True)

    assert [asyncio.CancelledError, dict, dict, asyncio.CancelledError] == [type(reply) for reply in replies[:4]]
    assert [{key(8)}, {key(9)}] == [{*reply} for reply in replies[1:3]]


@in_a_loop
async def test_one_that_is_cancelled_while_it_waits_is_left_out():
    """Nobody asks for what nobody waits for."""
    server = Server()
    gets, first = await busy(server)
    calls = begin(gets, key(7), key(8), key(9))
    await turn()
    calls[1].cancel()
    await server.go()

    await asyncio.gather(*calls, *first, return_exceptions=True)

    assert [[key(7).text, key(9).text]] == server.sent


@in_a_loop
async def test_get_does_not_wait_for_long_for_requests_that_do_not_end():
    """A get whose time for waiting is up goes by itself, so no other caller's connection decides about it."""
    server = Server()
    gets, first = await busy(server)
    gets._wait_s = 0.0

    call = begin(gets, key(7))
    await turn()

    assert [[key(7).text]] == server.sent
    await server.go()
    assert [key(7)] == [*await call[0]]
    await asyncio.gather(*first)


@in_a_loop
async def test_get_of_many_keys_goes_alone():
    """A request asks for no more keys than allowed, except for a get that has more by itself."""
    server = Server()
    gets, first = await busy(server)
    many = tuple(map(key, range(10, 10 + KEYS)))
    calls = [*begin(gets, key(7)), asyncio.create_task(gets.get(many)), *begin(gets, key(8))]
    await turn()
    await server.go()

    replies = await asyncio.gather(*calls)
    await asyncio.gather(*first)

    assert [1, KEYS, 1] == [len(reply) for reply in replies]
    assert KEYS == max(map(len, server.sent))


def test_threads_share_requests_and_each_gets_its_own():
    """Each get of a thread has its own record, and there are fewer requests than gets."""
    server, lock, wrong = Server(), threading.Lock(), list[Key]()
    meet = threading.Barrier(GROUPS)

    def ask(query: Document, limit: int) -> Sequence[Document]:
        with lock:
            found = server.answer(query, limit)
            is_first = len(server.sent) <= GROUPS
        if is_first:
            meet.wait(60)
        return found

    gets = Gets(ask, LONG_S)

    def read(thread: int) -> None:
        for number in range(1, 51):
            one = key(1000 * thread + number)
            if [one] != [*gets.get((one,))]:
                wrong.append(one)

    threads = [threading.Thread(target=read, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == wrong
    assert 400 == sum(map(len, server.sent))


def test_limits_fit_one_command():
    """A group is as large as one reply and one filter may be."""
    keys = tuple(Key("Thing", "n" * 250 + f"{number:03}") for number in range(KEYS))
    assert sum(len(text) for text in commands.by_id(keys)["_id"]["$in"]) < 1 << 20
    assert aio_gets.MEMBERS <= KEYS
