"""Gets that share requests: what several callers read by key at the same time goes to the server as one ``find``.

A get joins only a request that has not been sent yet, so its reply has whatever was committed before the get began.
The blocking form is generated from this one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf

from emco_store.backends.batcher import AsyncBatcher, Ticket
from emco_store.backends.mongo import commands
from emco_store.backends.mongo.documents import Document, decoded
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Unreachable
from emco_store.ports.deadline import time_left_s

Keys = tuple[Key, ...]
Found = Mapping[Key, Record]
GROUPS = 3
"""How many requests are on their way before a further get waits for one of them."""
MEMBERS = 100
"""How many gets may share a request."""
KEYS = 1000
"""How many keys they may have together; a get of more keys goes alone."""
WAIT_S = 1.0
"""How long a get waits for others before it goes alone: their connections may be lost."""


class AsyncGets:
    """The gets of one port.

    Args:
        ask: Returns the first documents that a filter finds, at most so many, within the deadline of the call.
        deadline_s: How long a get may take if its call has no deadline, in seconds.
    """

    def __init__(self, ask: Callable[[Document, int], Awaitable[Sequence[Document]]], deadline_s: float) -> None:
        self._ask = ask
        self._wait_s = min(WAIT_S, deadline_s / 2)
        self._batcher = AsyncBatcher[Keys, Found](members=MEMBERS, weight=KEYS, groups=GROUPS)

    async def get(self, keys: Keys) -> Found:
        """Read records by key, alone or with others.

        A get waits for others for at most half of the time that it has. If another's request brings it no reply, for
        whatever reason, it sends a request of its own, so each caller gets an error of its own.

        Raises:
            Unreachable: No server answered in time.
        """
        if self._batcher.goes_at_once():
            try:
                return await self._read(keys)
            finally:
                self._batcher.finish(())
        ticket: Ticket[Keys, Found] = Ticket(keys, len(keys))
        left_s = time_left_s()
        try:
            is_leader = await self._batcher.wait_turn(ticket, min(self._wait_s, inf if left_s is None else left_s / 2))
        except TimeoutError:
            return await self._read(keys)
        if is_leader:
            await self._lead(self._batcher.take(ticket))
        return ticket.outcome() if ticket.is_served else await self._read(keys)

    async def _lead(self, group: Sequence[Ticket[Keys, Found]]) -> None:
        """Read for all members of a group at once; where that is refused, leave them without a reply."""
        try:
            found = await self._read(tuple({key: None for ticket in group for key in ticket.request}))
            for ticket in group:
                ticket.answer({key: found[key] for key in ticket.request if key in found})
        except Unreachable:
            raise
        except Exception:  # noqa: BLE001 - what one of them reads may be the reason, so each asks by itself
            return
        finally:
            self._batcher.finish(group)

    async def _read(self, keys: Keys) -> Found:
        return {record.key: record for record in decoded(await self._ask(commands.by_id(keys), len(keys)))}
