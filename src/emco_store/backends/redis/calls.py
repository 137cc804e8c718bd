"""Calls of redis-py that end in time and find a free connection: a blocking form, and one for asyncio.

redis-py has time-outs for a connection, and none for a call. Where those of the client are not enough, the call goes on
by itself in a thread or a task, and its caller stops waiting for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar, cast

from redis import exceptions

from emco_store.backends.apart import Apart, Overdue, in_thread
from emco_store.backends.patience import REQUEST_S
from emco_store.queueing.forks import Renewed

T = TypeVar("T")
_MANY = 1 << 20
FULL = "Too many connections"
LATE = "Timeout while talking to the server"


class Calls(Renewed):
    """Calls of a blocking client; any number of threads may use it.

    Args:
        client: A client of redis-py, of one server or of a cluster.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        vars(self).pop("_places", None)

    @cached_property
    def _is_endless(self) -> bool:
        return is_endless(self._client)

    @cached_property
    def _places(self) -> threading.BoundedSemaphore | None:
        places = places_of(self._client)
        return None if places is None else threading.BoundedSemaphore(places)

    def within(self, within_s: float | None, call: Callable[[], T]) -> T:
        """Call redis-py while one connection of its pool is left for that.

        Args:
            within_s: How long that may take, in seconds; None where the time-outs of the client are enough.
            call: What to do.

        Raises:
            ConnectionError: No connection was free in time.
            TimeoutError: The call has not ended in time.
        """
        longest_s = REQUEST_S if within_s is None else within_s
        if self._places is not None and not self._places.acquire(timeout=longest_s):
            raise exceptions.ConnectionError(FULL)
        if within_s is None and not self._is_endless:
            return self._ended(call)
        try:
            return in_thread(lambda: self._ended(call), longest_s)
        except Overdue:
            raise exceptions.TimeoutError(LATE) from None

    def beside(self, call: Callable[[], T]) -> T:
        """Call redis-py over a connection that is none of its pool.

        Raises:
            TimeoutError: The call has not ended in time.
        """
        if not self._is_endless:
            return call()
        try:
            return in_thread(call, REQUEST_S)
        except Overdue:
            raise exceptions.TimeoutError(LATE) from None

    def _ended(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            if self._places is not None:
                self._places.release()

    def close(self) -> None:
        """Do nothing: what its callers have left ends with its connection."""


class AsyncCalls(Apart):
    """Calls of an asyncio client, for the tasks of one event loop; see :class:`Calls`."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client

    @cached_property
    def _is_endless(self) -> bool:
        return is_endless(self._client)

    @cached_property
    def _places(self) -> asyncio.BoundedSemaphore | None:
        places = places_of(self._client)
        return None if places is None else asyncio.BoundedSemaphore(places)

    async def within(self, within_s: float | None, call: Callable[[], Awaitable[T]]) -> T:
        """See :meth:`Calls.within`."""
        if within_s is None and not self._is_endless:
            return await self._ended(call)
        try:
            return await self.wait(self.begin(self._ended(call)), REQUEST_S if within_s is None else within_s)
        except Overdue:
            raise exceptions.TimeoutError(LATE) from None

    async def beside(self, call: Callable[[], Awaitable[T]]) -> T:
        """See :meth:`Calls.beside`."""
        if not self._is_endless:
            return await call()
        try:
            return await self.wait(self.begin(_done(call())), REQUEST_S)
        except Overdue:
            raise exceptions.TimeoutError(LATE) from None

    async def _ended(self, call: Callable[[], Awaitable[T]]) -> T:
        if self._places is None:
            return await call()
        try:
            async with asyncio.timeout(REQUEST_S):
                await self._places.acquire()
        except TimeoutError:
            raise exceptions.ConnectionError(FULL) from None
        try:
            return await call()
        finally:
            self._places.release()


async def _done(reply: Awaitable[T]) -> T:
    return await reply


def places_of(client: Any) -> int | None:
    """Return how many connections the pool of a client may have; None for any number, and for pools that wait."""
    pool = getattr(client, "connection_pool", None)
    places = getattr(pool, "max_connections", None)
    is_waiting = pool is not None and any("Blocking" in kind.__name__ for kind in type(pool).__mro__)
    return places if isinstance(places, int) and places < _MANY and not is_waiting else None


def is_endless(client: Any) -> bool:
    """Check whether a client waits for a reply longer than a request may take."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:  # of a cluster
        options: dict[str, Any] = client.get_connection_kwargs()
        timeout_s = options.get("socket_timeout")
    else:
        timeout_s = pool.connection_class(**pool.connection_kwargs).socket_timeout
    return timeout_s is None or timeout_s > REQUEST_S


def addresses(client: Any) -> tuple[str, ...]:
    """Return the addresses that a client was given."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:  # of a cluster
        nodes: Any = getattr(getattr(client, "nodes_manager", client), "startup_nodes", {})
        named: Iterable[Any] = cast("dict[str, Any]", nodes).values() if isinstance(nodes, dict) else nodes
        return tuple(sorted({f"{node.host}:{node.port}" for node in named})) or ("the cluster",)
    if hasattr(pool, "service_name"):
        return (f"the primary {pool.service_name!r:.80} of a Sentinel",)
    options = pool.connection_kwargs
    return (str(options["path"]),) if "path" in options else (f"{options.get('host')}:{options.get('port', 6379)}",)
