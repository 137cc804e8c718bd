# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Mutants of what a backend says of commits whose outcome is unknown."""

from __future__ import annotations

import time

from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.core.txids import may_be_forgotten
from emco_store.ports import Outcome, Settle


class GuessesOutcomes(MemoryPort):
    """Says committed without having looked."""

    def settle(self, request: Settle) -> Outcome:  # noqa: ARG002 - it does not look
        return Outcome.COMMITTED


class SettlesWithoutFencing(MemoryPort):
    """Says aborted, and forgets that it did."""

    def settle(self, request: Settle) -> Outcome:
        return _space(self).settled(request.txid, self._backend.clock()) or Outcome.ABORTED


class GuessesWhatItForgot(MemoryPort):
    """Takes a commit whose outcome may have been forgotten for one that did not happen."""

    def settle(self, request: Settle) -> Outcome | None:
        return _space(self).settled(request.txid, self._backend.clock(), Outcome.ABORTED)


class TrustsTheClockOfTheClient(MemoryPort):
    """Takes a commit that seems old for one whose outcome was forgotten, though it is there."""

    def settle(self, request: Settle) -> Outcome | None:
        is_old = may_be_forgotten(request.txid, time.time_ns() // 1_000_000, self.guarantees.outcome_retention)
        return None if is_old else super().settle(request)


def _space(port: MemoryPort) -> Space:
    return port._backend.space(port._namespace)  # type: ignore[attr-defined]  # a Mutant's
