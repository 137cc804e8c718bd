"""A backend under attack, reachable from this process and, if it is a server, from others."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from emco_store.errors import NotSupported
from emco_store.ports import Backend
from proof.mutants import broken


@dataclass(frozen=True, slots=True)
class Rig:
    """A backend under attack.

    Attributes:
        name: ``memory``, ``redis`` or ``mongo``, or that of another backend.
        backend: The backend, used by one thread of this process at a time.
        url: Where other clients and processes reach the same data; empty for data in the memory of this process.
        version: The server and its version, for the report.
        drop: Drops a namespace that is no longer needed, where many of them are a burden.
        empty: Removes all of a namespace, traces of deletes included, where these make each next scan slower.
        around: Puts something around each backend of :meth:`fresh`.
    """

    name: str
    backend: Backend
    url: str = ""
    version: str = ""
    drop: Callable[[str], None] | None = None
    empty: Callable[[str], object] | None = None
    around: Callable[[Backend], Backend] | None = None

    def fresh(self) -> Backend:
        """Return a backend for the same data, with its own clients."""
        found = at_url(self.url) if self.url else self.backend
        return found if self.around is None else self.around(found)

    def namespace(self) -> str:
        """Return a namespace that has not been used."""
        return f"p{secrets.token_hex(8)}"

    def forget(self, namespace: str) -> None:
        """Drop a namespace, if the backend needs that."""
        if self.drop is not None:
            self.drop(namespace)

    def broken(self, defect: str) -> Rig:
        """Return a rig whose backend is broken on purpose; for this process only."""
        return Rig(f"{self.name}, {defect}", broken(self.backend, defect), drop=self.drop, empty=self.empty)


def at_url(url: str) -> Backend:
    """Open the backend of a URL.

    Raises:
        NotSupported: The scheme is unknown.
    """
    scheme = url.partition(":")[0]
    if scheme in {"redis", "rediss", "unix"}:
        from emco_store.backends.redis.backend import RedisBackend  # noqa: PLC0415 - its driver may not be there

        return RedisBackend(url)
    if scheme in {"mongodb", "mongodb+srv"}:
        from emco_store.backends.mongo.backend import MongoBackend  # noqa: PLC0415 - its driver may not be there

        return MongoBackend(url)
    if scheme == "sqlite":
        from emco_store.backends.sqlite.backend import SqliteBackend  # noqa: PLC0415 - as the others

        return SqliteBackend(url)
    raise NotSupported(f"Cannot open {scheme!r:.40} in a proof.", hint="use redis://…, mongodb://… or sqlite://….")
