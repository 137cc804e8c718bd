# Generated from src/emco_store/backends/redis/aio_transport.py by `python3 dev.py sync`: do not edit.
"""How the port reaches the server: the interface of a transport, and the one that uses public calls only.

The blocking form is generated from it. The fast transports stand in ``fast/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from emco_store.backends.redis.calls import Calls
from emco_store.backends.redis.commands import Request, Rest, words


class Transport(Protocol):
    """A way to the server."""

    @property
    def name(self) -> str:
        """``fast`` or ``plain``."""
        ...

    @property
    def reason(self) -> str:
        """Why it is this one."""
        ...

    @property
    def is_direct(self) -> bool:
        """Whether requests are best sent as they come. Otherwise several at once cost less in one exchange."""
        ...

    def ask(self, request: Request, within_s: float | None) -> Any:
        """Send a request and return the reply.

        Args:
            request: The request.
            within_s: How long that may take, in seconds; None where the time-outs of the client are enough.

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: There was no reply in time.
            ResponseError: The server refused it.
        """
        ...

    def close(self) -> None:
        """Forget the connections, which the client closes."""
        ...


class PlainTransport:
    """Uses redis-py's public calls; see :class:`Transport`.

    Args:
        client: A client of redis-py, of one server or of a cluster.
        reason: Why it is used.

    Attributes:
        calls: How redis-py is called.
        is_direct: False, but for a cluster, whose client sends each command to the node of its keys.
    """

    name = "plain"

    def __init__(self, client: Any, reason: str) -> None:
        self.calls = Calls(client)
        self._client = client
        self.reason = reason
        self.is_direct = hasattr(client, "get_primaries")

    def ask(self, request: Request, within_s: float | None) -> Any:
        """See :meth:`Transport.ask`."""
        return self.calls.within(within_s, lambda: self._client.execute_command(*words(request)))

    def exchange(self, commands: Sequence[Rest], within_s: float | None) -> list[Any]:
        """Send commands over one connection, and nothing else between them; return the reply or problem of each."""

        def exchanged() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                replies: list[Any] = pipeline.execute(raise_on_error=False)
            return replies

        return self.calls.within(within_s, exchanged)

    def close(self) -> None:
        """Wait for what its callers have left; redis-py's pool has all connections."""
        self.calls.close()
