"""Holds: a delete that has lost races keeps others from the records that it needs, until it is done or gives up."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from emco_store.core.keys import Key
from emco_store.errors import Conflict, StoreError
from emco_store.flows.asking import Flow, ask
from emco_store.ports import Commit, Hold, Release, Unreachable


class Holding:
    """The records that one call holds over all of its attempts, as an advisory lock with an expiry.

    A call that meets the hold of another one releases its own before it waits, so no two calls wait for each other.
    A hold is a hint: if it fails or expires too early, the call makes another attempt.

    Attributes:
        holder: The name under which records are held; empty if none are.
    """

    def __init__(self) -> None:
        self.holder = ""
        self._keys: set[Key] = set()

    def take(self, commit: Commit) -> Flow[None]:
        """Hold all records that a lost commit would delete or change, and all that it was sealed for."""
        self.holder = self.holder or commit.txid
        self._keys |= commit.sealed.keys() | {put.key for put in commit.puts} | set(commit.deletes)
        with suppress(Unreachable, StoreError):
            yield from ask(Hold(self.holder, tuple(sorted(self._keys))))

    def wanted(self, problem: BaseException) -> tuple[Key, ...]:
        """Return the keys in whose queues a call waits after it has lost a race for them.

        A call that holds what it needs does not queue. Neither does a call that met a hold: it is in nobody's way.
        """
        if not isinstance(problem, Conflict) or problem.held or self.holder:
            return ()
        return problem.keys

    def forget(self, keys: Iterable[Key]) -> None:
        """Forget records that were written or deleted, because that ended their hold."""
        if self._keys:
            self._keys.difference_update(keys)

    def give_back(self) -> Flow[None]:
        """Release what is still held."""
        if self._keys:
            with suppress(Unreachable, StoreError):
                yield from ask(Release(self.holder, tuple(sorted(self._keys))))
            self._keys.clear()
