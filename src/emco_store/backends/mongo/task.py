"""What asyncio adds to the port: one event loop, and tasks that are cancelled in the midst of a commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from emco_store.backends.batcher import Ticket
from emco_store.backends.loops import home_loop, other_loop
from emco_store.backends.mongo.aio import AsyncMongoPort
from emco_store.backends.mongo.indexes import NO_INDEX
from emco_store.ports import Commit, Receipt, Refusal

T = TypeVar("T")
GRACE_S = 2.0
"""How long a cancelled caller waits for its commit to end by itself."""


class TaskMongoPort(AsyncMongoPort):
    """The asyncio port, for one event loop; a commit whose caller is cancelled still ends on the server."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def _perform(self, request: Callable[[float], Awaitable[T]], needs: Collection[str] = NO_INDEX) -> T:
        self._loop = home_loop(self._loop)
        try:
            return await super()._perform(request, needs)
        except RuntimeError as problem:  # the client that was given was used in another loop before
            raise other_loop() from problem

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._owned:
            self._loop = home_loop(self._loop)
        await super().close()

    async def _go(self, group: Sequence[Ticket[Commit, Receipt | Refusal]]) -> None:
        """Carry out commits; a transaction that is cut off would block others until the server ends it."""
        sending = self._calls.begin(super()._go(group))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=GRACE_S)
            raise
