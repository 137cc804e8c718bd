"""Where a run takes place: a backend, reachable from this process and, where it is a server, from others."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from emco_store.errors import NotSupported
from emco_store.ports import Backend
from proof.mutants import broken


@dataclass(frozen=True, slots=True)
class Place:
    """A backend under attack.

    Attributes:
        name: ``memory``, ``redis`` or ``mongo``, or that of another backend.
        backend: The data, for one thread of this process after the other.
        url: Where other clients and other processes reach the same; empty for data in the memory of this process.
        version: What the server says that it is, for the report.
        drop: Called with a namespace that is not needed any more, where many of them are a burden.
    """

    name: str
    backend: Backend
    url: str = ""
    version: str = ""
    drop: Callable[[str], None] | None = None

    def fresh(self) -> Backend:
        """Give the same data through clients of its own."""
        return at_url(self.url) if self.url else self.backend

    def namespace(self) -> str:
        """Give a namespace that nobody has used."""
        return f"p{secrets.token_hex(8)}"

    def forget(self, namespace: str) -> None:
        """Drop a namespace, where that is of use."""
        if self.drop is not None:
            self.drop(namespace)

    def broken(self, defect: str) -> Place:
        """Give the same place with a backend that is broken on purpose; for one process only."""
        return Place(f"{self.name}, {defect}", broken(self.backend, defect), drop=self.drop)


def at_url(url: str) -> Backend:
    """Open the backend of a URL.

    Raises:
        NotSupported: There is none for it.
    """
    scheme = url.partition(":")[0]
    if scheme in {"redis", "rediss", "unix"}:
        from emco_store.backends.redis.backend import RedisBackend  # noqa: PLC0415 - its driver may not be there

        return RedisBackend(url)
    if scheme in {"mongodb", "mongodb+srv"}:
        from emco_store.backends.mongo.backend import MongoBackend  # noqa: PLC0415 - its driver may not be there

        return MongoBackend(url)
    raise NotSupported(f"Cannot open {scheme!r:.40} in a proof.", hint="use redis://… or mongodb://….")
