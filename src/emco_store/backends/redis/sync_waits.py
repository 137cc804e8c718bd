# Generated from src/emco_store/backends/redis/aio_waits.py by `python3 dev.py sync`: do not edit.
"""How a reader of the feed waits on the server, and reads: over a connection that serves nobody else meanwhile.

The blocking form is generated from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from emco_store.backends.redis.commands import Rest, pack
from emco_store.backends.redis.errors import DRIVER_ERRORS
from emco_store.queueing.forks import Renewed

LONGEST_S = 1.0
"""For how long a command waits at most, so that the end of a port is not held up."""
POLL_S = 0.05
"""How long a reader of a cluster pauses where its node cannot be waited on."""


class Waits(Renewed):
    """Connections on which commands wait, one for each that does so at a time.

    redis-py makes them, with the options of the client, beside those of its pool: a command that waits would keep one
    of these from all others.

    Args:
        client: A client of redis-py, of one server or of a cluster.
        key: A key of the namespace, by which a cluster finds the node that has it.
    """

    def __init__(self, client: Any, key: str) -> None:
        super().__init__()
        self._client = client
        self._key = key
        self._is_closed = False
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._free: list[Any] = []

    def wait(self, within_s: float, commands: Callable[[float], Sequence[Rest]]) -> Sequence[Any] | None:
        """Send commands at once, the first of which waits, and wait for their replies.

        The server executes the others as soon as the first one has ended.

        Args:
            within_s: For how long to wait, in seconds; the first command may end sooner.
            commands: Returns the commands, where the first one waits for so many seconds.

        Returns:
            The reply of each; None where a cluster has none, because its nodes have changed: its client must find them.

        Raises:
            ConnectionError: There is no connection, or it broke; not in a cluster.
            TimeoutError: There was no reply in time; not in a cluster.
            ResponseError: The server refused one of them; not in a cluster.
        """
        if not hasattr(self._client, "get_node_from_key"):
            return self._exchange(self._client.connection_pool, within_s, commands)
        try:
            node = self._client.get_node_from_key(self._key)
            pool_of = getattr(self._client, "get_redis_connection", None)  # its time form makes connections itself
            maker = node if pool_of is None else pool_of(node).connection_pool
            return self._exchange(maker, within_s, commands)
        except DRIVER_ERRORS:
            time.sleep(min(within_s, POLL_S))
            return None

    def _exchange(self, maker: Any, within_s: float, commands: Callable[[float], Sequence[Rest]]) -> Sequence[Any]:
        """Send commands over a connection of a pool's or a node's kind."""
        connection = self._free.pop() if self._free else maker.connection_class(**maker.connection_kwargs)
        longest_s = min(within_s, LONGEST_S, (connection.socket_timeout or 2 * LONGEST_S) / 2)
        sent = [pack(command) for command in commands(longest_s)]
        try:
            connection.connect()
            connection.send_packed_command(sent)
            replies = [connection.read_response() for _ in sent]
        except BaseException:
            connection.disconnect()
            raise
        self._free.append(connection)
        if self._is_closed:
            self.close()
        return replies

    def close(self) -> None:
        """Close the connections; those on which a command waits close when it ends."""
        self._is_closed = True
        while self._free:
            with suppress(OSError):
                self._free.pop().disconnect()
