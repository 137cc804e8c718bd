"""Calls of PyMongo that end in time, whatever PyMongo does: a blocking form, and one for asyncio.

For asyncio each call runs in a task of its own, which no cancellation of the caller reaches. PyMongo waits for the lock
of its pool inside ``asyncio.wait_for``, which on Python 3.11 loses that lock when it is cancelled for the second time,
or at the moment when its time is up; then every later call waits for ever (python/cpython issue 86296, and PyMongo's
``_async_cond_wait``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from pymongo import timeout
from pymongo.errors import NetworkTimeout

from emco_store.backends.apart import Apart, Overdue, in_thread

T = TypeVar("T")
SLACK_S = 0.25
"""How much longer than its time-out a call of PyMongo may take before the caller stops waiting for it."""
LOOK_S = 1.0
"""How long PyMongo looks for the primary at a time; then whoever waits can judge what it has found."""


class Calls:
    """Calls of a blocking client.

    Args:
        client: A client of PyMongo.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def find_primary(self) -> None:
        """Wait until PyMongo knows the primary, for a while.

        Raises:
            ServerSelectionTimeoutError: It knows none yet.
        """
        if not self._client.topology_description.has_writable_server():
            with timeout(_looking_s(self._client)):
                _ = self._client.is_primary

    def ask(self, within_s: float, call: Callable[[], T]) -> T:
        """Call PyMongo for a request to the primary; see :meth:`within`."""
        with timeout(within_s):
            self.find_primary()
            return call()

    def within(self, within_s: float, call: Callable[[], T], unwanted: Callable[[T], object] | None = None) -> T:
        """Call PyMongo, which gives up after a while.

        Args:
            within_s: How long that may take, in seconds.
            call: What to do.
            unwanted: Unused: a blocking caller always waits for the result.
        """
        del unwanted
        with timeout(within_s):
            return call()

    def whole(self, within_s: float, call: Callable[[], T]) -> T:
        """Call PyMongo; see :meth:`within`."""
        with timeout(within_s):
            return call()

    def waiting(self, within_s: float, call: Callable[[], T], unwanted: Callable[[T], object] | None = None) -> T:
        """Call PyMongo for what waits on the server, which PyMongo would give the whole time; see :meth:`within`."""
        try:
            return in_thread(call, within_s, unwanted)
        except Overdue:
            raise _late() from None

    def close(self) -> None:
        """Do nothing: no call outlives its caller."""


class AsyncCalls(Apart):
    """Calls of an asyncio client, for the tasks of one event loop.

    Args:
        client: A client of PyMongo.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client

    async def find_primary(self) -> None:
        """See :meth:`Calls.find_primary`."""
        if not self._client.topology_description.has_writable_server():
            with timeout(_looking_s(self._client)):
                await self._client.is_primary

    async def ask(self, within_s: float, call: Callable[[], Awaitable[T]]) -> T:
        """Call PyMongo for a request to the primary; see :meth:`within`."""

        async def asked() -> T:
            await self.find_primary()
            return await call()

        return await self.within(within_s, asked)

    async def within(
        self,
        within_s: float,
        call: Callable[[], Awaitable[T]],
        unwanted: Callable[[T], Awaitable[object]] | None = None,
    ) -> T:
        """Call PyMongo, and stop waiting when the time is up or the caller is cancelled; the call then ends by itself.

        Args:
            within_s: How long that may take, in seconds.
            call: What to do.
            unwanted: What to do with the result if nobody waits for it any more.

        Raises:
            NetworkTimeout: PyMongo has not ended the call in time.
        """
        try:
            return await self.wait(self.begin(_timed(within_s, call)), within_s + SLACK_S, unwanted)
        except Overdue:
            raise _late() from None

    async def whole(self, within_s: float, call: Callable[[], Awaitable[T]]) -> T:
        """Call PyMongo, and wait for the end of the call even if the caller is cancelled; see :meth:`within`.

        For the commands of a transaction: one that is still on its way when its session is ended could be sent outside
        of the transaction.
        """
        try:
            return await self.wait_out(self.begin(_timed(within_s, call)), within_s + SLACK_S)
        except Overdue:
            raise _late() from None

    async def waiting(
        self,
        within_s: float,
        call: Callable[[], Coroutine[Any, Any, T]],
        unwanted: Callable[[T], Awaitable[object]] | None = None,
    ) -> T:
        """See :meth:`Calls.waiting`."""
        try:
            return await self.wait(self.begin(call()), within_s, unwanted)
        except Overdue:
            raise _late() from None


def _looking_s(client: Any) -> float:
    looking_s: float = client.options.server_selection_timeout
    return min(LOOK_S, looking_s)


async def _timed(within_s: float, call: Callable[[], Awaitable[T]]) -> T:
    with timeout(within_s):
        return await call()


def _late() -> NetworkTimeout:
    return NetworkTimeout("timed out: PyMongo did not end the call")
