"""What asyncio adds to the port: one event loop.

A task that is cancelled in the midst of a request needs nothing of its own: the wire reads its reply for nobody, or the
connection is closed, so no later request is given it; and a commit is one command, which the server executes or not.
"""

from __future__ import annotations

import asyncio
from typing import Any

from emco_store.backends.loops import home_loop, other_loop
from emco_store.backends.redis.aio import AsyncRedisPort, Send
from emco_store.backends.redis.commands import Head, Rest, Script
from emco_store.ports import Commit, EventPage, Events, OutcomeLost, Receipt, Refusal


class TaskRedisPort(AsyncRedisPort):
    """The asyncio port, for one event loop."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        self._loop = home_loop(self._loop)
        try:
            await super().open()
        except RuntimeError as problem:  # the client that was given was used in another loop before
            raise other_loop() from problem

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        self._loop = home_loop(self._loop)
        try:
            return await super().commit(commit)
        except RuntimeError as problem:  # asyncio has sent it by then, and only refuses to wait for the reply
            raise OutcomeLost from problem

    async def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        self._loop = home_loop(self._loop)
        return await super().events(events)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._owned:
            self._loop = home_loop(self._loop)
        await super().close()

    async def _ask(self, script: Script, head: Head, rest: Rest, send: Send | None = None) -> Any:
        self._loop = home_loop(self._loop)
        try:
            return await super()._ask(script, head, rest, send)
        except RuntimeError as problem:
            raise other_loop() from problem
