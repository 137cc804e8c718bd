# Generated from src/emco_store/_aio/reaping.py by `python3 dev.py sync`: do not edit.
"""``Reaper``: ends the leases of holders that have died."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from emco_store._sync.leading import Leading
from emco_store._sync.looking import Looks
from emco_store.beating import Lease, required
from emco_store.core.leases import Reaped

REAPER = "emco-reaper"
"""The name of the seat that the leading reaper holds."""


class Reaper:
    """Ends the leases of holders that have died; made by ``store.reaper``.

    Any number may run, in any number of processes: one of them leads, and another takes over when it dies.

    Rules: SUP-1 to SUP-5.
    """

    def __init__(self, looks: Looks, seat_ttl: timedelta | None) -> None:
        self._looks = looks
        self._leading = Leading(looks, REAPER, seat_ttl)

    def stop(self) -> None:
        """Let :meth:`run` return after its next look; may be called from any thread."""
        self._leading.stop()

    def run(self, told: Callable[[Reaped], object] | None = None) -> None:
        """Lead, or wait to lead, and end what has died, until :meth:`stop` is called.

        Args:
            told: Called with what was done after each look that has found something dead.

        Raises:
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.
        """

        def look(leader: Lease) -> None:
            reaped = self.look(leader)
            if told is not None and any(reaped):
                told(reaped)

        self._leading.run(look)

    def look(self, leader: Lease) -> Reaped:
        """Look once, and end what is to be ended.

        Args:
            leader: The lease of the seat ``emco-reaper``, which must be there at each commit.

        Raises:
            LeaseLost: Another reaper leads.
            Unavailable: The backend does not answer.

        Rules: SUP-1, SUP-4, SUP-5.
        """
        return self._looks.reap(required(leader, self._looks.context))
