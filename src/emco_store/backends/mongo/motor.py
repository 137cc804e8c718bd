"""The port for services that still use Motor, which is PyMongo's blocking client behind a pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from emco_store.backends.mongo.sync import MongoPort
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Audit,
    Audited,
    Commit,
    Guarantees,
    Hold,
    Outcome,
    Receipt,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
)


class MotorPort:
    """Sends each request through the blocking port in a thread, as Motor itself does.

    Of Motor only the client behind it is used, so none of its await shapes matter, and a commit costs one change of
    threads in place of four. A caller that is cancelled leaves at once, and its commit ends in the thread.

    Args:
        port: The blocking port on the client that Motor wraps.
    """

    def __init__(self, port: MongoPort) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        await asyncio.to_thread(self._port.open)

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return await asyncio.to_thread(self._port.get, keys)

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return await asyncio.to_thread(self._port.scan, scan)

    async def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return await asyncio.to_thread(self._port.referrers, follow)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        return await asyncio.to_thread(self._port.commit, commit)

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return await asyncio.to_thread(self._port.settle, txid)

    async def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.hold`."""
        await asyncio.to_thread(self._port.hold, hold)

    async def release(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.release`."""
        await asyncio.to_thread(self._port.release, hold)

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.Port.audit`."""
        return await asyncio.to_thread(self._port.audit, audit)

    async def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`emco_store.ports.Port.mend`."""
        await asyncio.to_thread(self._port.mend, flaws)

    async def close(self) -> None:
        """Do nothing: the client belongs to who made it."""
