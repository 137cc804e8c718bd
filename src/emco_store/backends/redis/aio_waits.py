"""How a reader of the feed waits on the server, and reads: over a connection that serves nobody else meanwhile.

The blocking form is generated from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from emco_store.backends.redis.commands import Names, pack
from emco_store.backends.redis.errors import DRIVER_ERRORS
from emco_store.backends.redis.feed import LOOK, Entry, Place, followers, looking, reading
from emco_store.backends.redis.pace import AHEAD_S, Pace
from emco_store.queueing.forks import Renewed

LONGEST_S = 1.0
"""For how long a command waits at most, so that the end of a port is not held up."""
POLL_S = 0.05
"""How long a reader of a cluster pauses where its node cannot be waited on."""


class AsyncWaits(Renewed):
    """Connections on which readers wait, one for each that does so at a time.

    redis-py makes them, with the options of the client, beside those of its pool: a command that waits would keep one
    of these from all others.

    Args:
        client: A client of redis-py, of one server or of a cluster.
        names: The keys of the namespace; by that of the feed, a cluster finds the node that has it.
    """

    def __init__(self, client: Any, names: Names) -> None:
        super().__init__()
        self._client = client
        self._names = names
        self._is_closed = False
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._free: list[tuple[Any, Pace]] = []

    async def wait(self, place: Place, within_s: float) -> Sequence[Entry] | None:
        """Wait until an entry follows a place, and read what follows.

        Args:
            place: The place.
            within_s: For how long to wait, in seconds; it may end sooner, with nothing.

        Returns:
            The entries; None where only the script can say what follows, and where a cluster has no reply, because its
            nodes have changed: its client must find them.

        Raises:
            ConnectionError: There is no connection, or it broke; not in a cluster.
            TimeoutError: There was no reply in time; not in a cluster.
            ResponseError: The server refused a command; not in a cluster.
        """
        if not hasattr(self._client, "get_node_from_key"):
            return await self._read(self._client.connection_pool, place, within_s)
        try:
            node = self._client.get_node_from_key(self._names.feed)
            pool_of = getattr(self._client, "get_redis_connection", None)  # its asyncio form makes connections itself
            maker = node if pool_of is None else pool_of(node).connection_pool
            return await self._read(maker, place, within_s)
        except DRIVER_ERRORS:
            await asyncio.sleep(min(within_s, POLL_S))
            return None

    async def _read(self, maker: Any, place: Place, within_s: float) -> Sequence[Entry] | None:
        """Read the reply to an open wait, or else to a request, over a connection of a pool's or a node's kind."""
        if self._free:
            connection, pace = self._free.pop()
        else:
            connection, pace = maker.connection_class(**maker.connection_kwargs), Pace()
        try:
            size = LOOK if pace.begin(within_s) else await self._send(connection, pace, place, within_s)
            *_, found = [await connection.read_response() for _ in range(size)]
            entries = followers(place, found)
        except BaseException:
            await connection.disconnect()
            raise
        pace.end(entries)
        self._free.append((connection, pace))
        if self._is_closed:
            await self.close()
        return entries

    async def _send(self, connection: Any, pace: Pace, place: Place, within_s: float) -> int:
        """Let commits gather, and send a request; return how many replies the first wait has."""
        until_s = monotonic() + within_s
        if pace.open:
            await connection.disconnect()
        if (pause_s := min(pace.gathering_s(), within_s)) > 0:
            await asyncio.sleep(pause_s)
        longest_s = min(max(until_s - monotonic(), 0.0), LONGEST_S, (connection.socket_timeout or 2 * LONGEST_S) / 2)
        first = reading(self._names, place, 0.0 if pace.is_fast else longest_s)
        later = looking(self._names, min(longest_s, AHEAD_S))
        await connection.connect()
        await connection.send_packed_command([pack(command) for command in (*first, *later * pace.send())])
        return len(first)

    async def close(self) -> None:
        """Close the connections; those on which a command waits close when it ends."""
        self._is_closed = True
        while self._free:
            with suppress(OSError):
                await self._free.pop()[0].disconnect()
