"""What asyncio adds to the port: one event loop, and tasks that are cancelled in the midst of a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from emco_store.backends.mongo.aio import AsyncMongoPort
from emco_store.errors import InvalidCall
from emco_store.ports import Commit

T = TypeVar("T")
GRACE_S = 2.0
"""How long a cancelled caller waits for its commit to end by itself."""


class TaskMongoPort(AsyncMongoPort):
    """The asyncio port, for one event loop; a commit whose caller is cancelled still ends on the server."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def _perform(self, request: Callable[[float], Awaitable[T]]) -> T:
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if running is not self._loop:
            raise _other_loop()
        try:
            return await super()._perform(request)
        except RuntimeError as problem:  # the client that was given was used in another loop before
            raise _other_loop() from problem

    async def _write(self, commit: Commit, within_s: float) -> bool:
        """Send one commit; a transaction that is cut off would block others until the server ends it."""
        sending = asyncio.ensure_future(super()._write(commit, within_s))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=GRACE_S)
            if not sending.done():
                sending.cancel()
                await asyncio.wait({sending}, timeout=GRACE_S)
            if sending.done() and not sending.cancelled():
                sending.exception()  # seen: the caller is told that it was cancelled, and nothing else
            raise


def _other_loop() -> InvalidCall:
    return InvalidCall(
        "This store cannot be used in this event loop.",
        why=["it, or the client that it was given, belongs to another one"],
        do="open a store in each event loop, by connect_async() with a URL or with a client of that loop.",
    )
