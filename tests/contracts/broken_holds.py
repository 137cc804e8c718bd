# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Mutants of holds, and of commits that go together."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

from emco_store.backends.memory import MemoryPort, _apply, _judged
from emco_store.backends.spaces import Space
from emco_store.core.records import Record
from emco_store.ports import Commit, Hold, Receipt, Refusal, Release

# holds


class HoldsNothing(MemoryPort):
    """Takes the wish for a hold, and does nothing."""

    def hold(self, hold: Hold) -> None:
        pass


class HoldsForEver(MemoryPort):
    """Keeps a hold until it is given back, which one who died never does."""

    def hold(self, hold: Hold) -> None:
        super().hold(replace(hold, lasts=timedelta(days=1)))


class HoldsBackTheHolder(MemoryPort):
    """Refuses the commit that the hold was taken for, too."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, holder="nobody"))


class TakesHoldsAway(MemoryPort):
    """Gives a record to whoever asked for it last."""

    def hold(self, hold: Hold) -> None:
        for key in hold.keys:
            self._backend.space(self._namespace).holds.pop(key.text, None)  # type: ignore[attr-defined]  # a Mutant's
        super().hold(hold)


class KeepsHolds(MemoryPort):
    """Never gives a hold back."""

    def release(self, release: Release) -> None:
        pass


# commits that go together


class FailsWithItsNeighbour(MemoryPort):
    """Gives a refusal to the next commit, too."""

    refusal: Refusal | None = None

    def commit(self, commit: Commit) -> Receipt | Refusal:
        last, self.refusal = self.refusal, None
        reply = last or super().commit(commit)
        self.refusal = None if last or isinstance(reply, Receipt) else reply
        return reply


class LeaksARefusal(MemoryPort):
    """Writes what a refused commit would have written along with the next one that happens."""

    left: tuple[Record, ...] = ()

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Refusal):
            self.left += commit.puts
        elif self.left:
            super().commit(Commit(f"{commit.txid}-leak", puts=self.left))
            self.left = ()
        return reply


class JudgesByTheStateBefore(MemoryPort):
    """Judges a commit by what was there before the one that goes with it."""

    before: Space | None = None

    def commit(self, commit: Commit) -> Receipt | Refusal:
        with self._backend.request(self._namespace, "commit", commit) as space:
            answer = _judged(self.before or space, commit, self._backend.clock())
            if isinstance(answer, Refusal):
                return answer
            self.before = deepcopy(space)
            _apply(space, commit)
            return Receipt(commit.txid)
