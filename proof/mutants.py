"""Mutants: wrappers that break any backend on purpose. Each checker must catch those that break what it judges.

A mutant is for blocking use by one thread. A real backend with the same defect would lose a race sometimes; a mutant
always loses it, because it lets other clients run between its check and its write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    AsyncPort,
    Backend,
    Commit,
    Get,
    Missing,
    Port,
    PortWrapper,
    Receipt,
    Refusal,
    Request,
    Stale,
)

Reply = Receipt | Refusal


@dataclass(slots=True)
class Pause:
    """What happens between the check and the write of a mutant: a scheduler runs steps of other clients here."""

    action: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Let other clients run."""
        if self.action is not None:
            self.action()


class Mutant(PortWrapper):
    """A blocking port that forwards everything; each subclass breaks one thing.

    Args:
        inner: The sound port.
        pause: What happens between a check and a write.
    """

    def __init__(self, inner: Port, pause: Pause) -> None:
        super().__init__(inner)
        self._pause = pause

    def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        return self.commit(request) if isinstance(request, Commit) else super().ask(request)

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        return self._inner.ask(commit)


class NoGuard(Mutant):
    """Checks neither that the targets of new references exist, nor that deleted records have no new referrers."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without guards."""
        return self._inner.ask(replace(commit, require=frozenset(), sealed={}))


class NoOpGuard(Mutant):
    """Checks the targets of new references without changing their guards, as a no-op update would."""

    def commit(self, commit: Commit) -> Reply:
        """Commit with a check instead of the guard."""
        wanted = commit.require - {record.key for record in commit.puts}
        absent = wanted - self._inner.ask(Get(tuple(wanted))).keys() if wanted else frozenset[Key]()
        if absent:
            return Refusal(tuple(Missing(key) for key in sorted(absent)))
        return self._inner.ask(replace(commit, require=frozenset()))


class CommitsLate(Mutant):
    """Is sound, and lets other clients run before each commit: for programs that are broken on purpose."""

    def commit(self, commit: Commit) -> Reply:
        """Commit after others."""
        self._pause()
        return self._inner.ask(commit)


class ValidatesByReading(Mutant):
    """Checks that what was read has not changed, and writes afterwards."""

    def commit(self, commit: Commit) -> Reply:
        """Commit after a check."""
        found = self._inner.ask(Get(tuple(commit.expect)))
        there = {key: found[key].stamp if key in found else None for key in commit.expect}
        stale = [Stale(key, stamp, there[key]) for key, stamp in commit.expect.items() if there[key] != stamp]
        if stale:
            return Refusal(tuple(stale))
        self._pause()
        return self._inner.ask(_resting_on_writes(commit))


class WatchesOnlyWrites(Mutant):
    """Checks only what it writes: snapshot isolation at best."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without checking records that were only read."""
        return self._inner.ask(_resting_on_writes(commit))


class ForgetsVersions(Mutant):
    """Overwrites any version."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without preconditions on versions."""
        return self._inner.ask(replace(commit, expect={}))


class ChecksNothing(Mutant):
    """Has neither guards nor versions: of two that rest on the same state, both succeed."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without any precondition."""
        return self._inner.ask(replace(commit, require=frozenset(), sealed={}, expect={}))


class RepeatsUnderANewName(Mutant):
    """Sends a commit again under another txid after a lost reply, as drivers do on their own."""

    def commit(self, commit: Commit) -> Reply:
        """Commit twice."""
        self._inner.ask(commit)
        return self._inner.ask(replace(commit, txid=f"{commit.txid}-again"))


class AcknowledgesTooSoon(Mutant):
    """Acknowledges every fifth commit and loses it, as a primary that does not wait for others."""

    def __init__(self, inner: Port, pause: Pause) -> None:
        super().__init__(inner, pause)
        self._commits = 0

    def commit(self, commit: Commit) -> Reply:
        """Commit, or only acknowledge."""
        self._commits += 1
        return self._inner.ask(commit) if self._commits % 5 else Receipt(commit.txid)


class CommitsInHalves(Mutant):
    """Writes the first half of a commit, and the second half later."""

    def commit(self, commit: Commit) -> Reply:
        """Commit twice."""
        if len(commit.puts) < 2:
            return self._inner.ask(commit)
        reply = self._inner.ask(replace(commit, puts=commit.puts[:1]))
        if isinstance(reply, Refusal):
            return reply
        self._pause()
        self._inner.ask(Commit(f"{commit.txid}-rest", puts=commit.puts[1:]))
        return reply


class ReadsFromACache(Mutant):
    """Answers every second read of a record with the first value that it saw."""

    def __init__(self, inner: Port, pause: Pause) -> None:
        super().__init__(inner, pause)
        self._cache: dict[Key, Record] = {}
        self._reads = 0

    def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        return self._read(request) if isinstance(request, Get) else super().ask(request)

    def _read(self, request: Get) -> dict[Key, Record]:
        """Read, or return what was read before."""
        found = dict(self._inner.ask(request))
        self._reads += 1
        for key, record in found.items():
            first = self._cache.setdefault(key, record)
            if self._reads % 2:
                found[key] = first
        return found


def _resting_on_writes(commit: Commit) -> Commit:
    written = {*commit.deletes, *(record.key for record in commit.puts)}
    return replace(commit, expect={key: stamp for key, stamp in commit.expect.items() if key in written})


DEFECTS: Final[dict[str, type[Mutant]]] = {
    "no guard": NoGuard,
    "no-op guard": NoOpGuard,
    "validates by reading": ValidatesByReading,
    "watches only what it writes": WatchesOnlyWrites,
    "forgets versions": ForgetsVersions,
    "checks nothing": ChecksNothing,
    "repeats under a new name": RepeatsUnderANewName,
    "acknowledges too soon": AcknowledgesTooSoon,
    "commits in halves": CommitsInHalves,
    "reads from a cache": ReadsFromACache,
}
"""The defects by name."""


@dataclass(slots=True)
class MutantBackend:
    """A backend whose blocking ports have one defect."""

    inner: Backend
    kind: type[Mutant]
    pause: Pause = field(default_factory=Pause)

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return self.kind(self.inner.port(namespace), self.pause)

    def async_port(self, namespace: str) -> AsyncPort:
        """Refuse: a mutant is for blocking use."""
        raise NotImplementedError(namespace)


def broken(backend: Backend, defect: str) -> MutantBackend:
    """Return a backend with one of the :data:`DEFECTS`."""
    return MutantBackend(backend, DEFECTS[defect])
