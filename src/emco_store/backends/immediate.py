"""An asyncio port over a blocking one in which nothing waits, because its data is in this process."""

from __future__ import annotations

from collections.abc import Mapping

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
    Port,
    Receipt,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
)


class ImmediatePort:
    """The asyncio form of a blocking port.

    Args:
        port: The blocking port; each of its requests ends at once.
    """

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return self._port.get(keys)

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return self._port.scan(scan)

    async def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return self._port.referrers(follow)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        return self._port.commit(commit)

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return self._port.settle(txid)

    async def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.hold`."""
        self._port.hold(hold)

    async def release(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.release`."""
        self._port.release(hold)

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.Port.audit`."""
        return self._port.audit(audit)

    async def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`emco_store.ports.Port.mend`."""
        self._port.mend(flaws)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self._port.close()
