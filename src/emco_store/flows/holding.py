"""How a delete that has lost to others gets its turn: it holds what it is about until it is done, or gives up."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from emco_store.core.keys import Key
from emco_store.errors import Conflict, StoreError
from emco_store.flows.asking import Flow, ask
from emco_store.ports import Commit, Hold, Release, Unreachable


class Holding:
    """What the attempts of one call hold together.

    Whoever meets the hold of another lets go of its own before it waits, so no two wait for each other.
    A hold is a hint: one that fails, or that ended too early, costs another attempt and nothing else.

    Attributes:
        holder: The name under which records are held; empty as long as none is.
    """

    def __init__(self) -> None:
        self.holder = ""
        self._keys: set[Key] = set()

    def take(self, commit: Commit) -> Flow[None]:
        """Hold all that a lost commit would delete, all that it was sealed for, and all that it would change."""
        self.holder = self.holder or commit.txid
        self._keys |= commit.sealed.keys() | {put.key for put in commit.puts} | set(commit.deletes)
        with suppress(Unreachable, StoreError):
            yield from ask(Hold(self.holder, tuple(sorted(self._keys))))

    def wanted(self, problem: BaseException) -> tuple[Key, ...]:
        """Give the records for which a call that lost them waits in line with others.

        One that holds what it needs goes before the line, and one that met the hold of another is in nobody's way.
        """
        if not isinstance(problem, Conflict) or problem.held or self.holder:
            return ()
        return problem.keys

    def forget(self, keys: Iterable[Key]) -> None:
        """Take note that records were written or deleted, which ended their hold."""
        if self._keys:
            self._keys.difference_update(keys)

    def give_back(self) -> Flow[None]:
        """Let others go on with what is still held."""
        if self._keys:
            with suppress(Unreachable, StoreError):
                yield from ask(Release(self.holder, tuple(sorted(self._keys))))
            self._keys.clear()
