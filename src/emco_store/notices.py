"""What a store says in the log ``emco_store``: one line for each thing that happens behind the calls of a program.

The lines hold keys and addresses, and never a password or the content of a document.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from emco_store.errors import StoreError

EVERY_S = 10.0
"""How long a port says nothing more about servers that do not answer."""
_log = logging.getLogger("emco_store")


def gave_up(problem: StoreError, *, attempts: int, since_s: float) -> None:
    """Say that a call has lost races until its deadline.

    Args:
        problem: The last error.
        attempts: How many attempts were made.
        since_s: When the first one began, as ``time.monotonic`` counts.
    """
    took_s = monotonic() - since_s
    _log.warning("A call gave up after %d attempts in %.1f s: %s [%s]", attempts, took_s, problem.what, problem.code)


def came_late(problem: StoreError) -> None:
    """Say that a call has ended at its deadline, without an answer."""
    _log.warning("A call ended at its deadline: %s [%s]", problem.line, problem.code)


def opened_plain(backend: str, reason: str) -> None:
    """Say that a store reaches its server by public calls of the driver, which are slower."""
    _log.info("The store uses the plain transport to %s: %s.", backend, reason)


def fell_back(backend: str, reason: str) -> None:
    """Say that a store that is open uses public calls of the driver from now on."""
    _log.warning("The store uses the plain transport to %s from now on: %s.", backend, reason)


class Outages:
    """Says that servers do not answer: one line for all requests that notice the same failover.

    Args:
        backend: The name of the backend.
    """

    __slots__ = ("_backend", "_said_s")

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._said_s: float | None = None

    def noticed(self, reasons: Sequence[str]) -> None:
        """Say it, unless it was said a moment ago.

        Args:
            reasons: What each server answers, as far as that is known.
        """
        now_s = monotonic()
        if self._said_s is None or now_s - self._said_s >= EVERY_S:
            self._said_s = now_s
            why = "; ".join(reasons) or "no answer"
            _log.warning("%s does not answer, or its primary moves; requests wait for it: %s", self._backend, why)
