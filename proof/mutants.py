"""Backends that are broken on purpose, around any backend: each checker must catch those that break what it judges.

A mutant is for blocking use by one thread. Where a real one would lose a race now and then, it loses it always: between
its look and its write it lets others go on.
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
    """What happens between the look and the write of a mutant: a scheduler puts other clients' steps here."""

    action: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Let others go on."""
        if self.action is not None:
            self.action()


class Mutant(PortWrapper):
    """A blocking port that hands everything on; a subclass breaks one thing.

    Args:
        inner: The sound port.
        pause: What happens between a look and a write.
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
    """Neither looks for the targets of new references nor whether anybody refers to what goes."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without guards."""
        return self._inner.ask(replace(commit, require=frozenset(), sealed={}))


class NoOpGuard(Mutant):
    """Looks for the targets of new references, and leaves no mark on them, as an update that changes nothing."""

    def commit(self, commit: Commit) -> Reply:
        """Commit with a look in the place of the guard."""
        wanted = commit.require - {record.key for record in commit.puts}
        absent = wanted - self._inner.ask(Get(tuple(wanted))).keys() if wanted else frozenset[Key]()
        if absent:
            return Refusal(tuple(Missing(key) for key in sorted(absent)))
        return self._inner.ask(replace(commit, require=frozenset()))


class ValidatesByReading(Mutant):
    """Looks whether what it has read still holds, and writes afterwards."""

    def commit(self, commit: Commit) -> Reply:
        """Commit after a look."""
        found = self._inner.ask(Get(tuple(commit.expect)))
        there = {key: found[key].stamp if key in found else None for key in commit.expect}
        stale = [Stale(key, stamp, there[key]) for key, stamp in commit.expect.items() if there[key] != stamp]
        if stale:
            return Refusal(tuple(stale))
        self._pause()
        return self._inner.ask(_resting_on_writes(commit))


class WatchesOnlyWrites(Mutant):
    """Rests on what it writes alone: snapshot isolation at best."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without looking at what was only read."""
        return self._inner.ask(_resting_on_writes(commit))


class ForgetsVersions(Mutant):
    """Overwrites whatever is there."""

    def commit(self, commit: Commit) -> Reply:
        """Commit without expecting anything."""
        return self._inner.ask(replace(commit, expect={}))


class RepeatsUnderANewName(Mutant):
    """Sends a commit again as another one, as drivers do by themselves: its first reply was lost."""

    def commit(self, commit: Commit) -> Reply:
        """Commit, and commit again."""
        self._inner.ask(commit)
        return self._inner.ask(replace(commit, txid=f"{commit.txid}-again"))


class AcknowledgesTooSoon(Mutant):
    """Says committed of what is lost afterwards, as a primary that waits for nobody: every fifth commit is."""

    def __init__(self, inner: Port, pause: Pause) -> None:
        super().__init__(inner, pause)
        self._commits = 0

    def commit(self, commit: Commit) -> Reply:
        """Commit, or just say so."""
        self._commits += 1
        return self._inner.ask(commit) if self._commits % 5 else Receipt(commit.txid)


class CommitsInHalves(Mutant):
    """Writes the first half of a commit, and the second half a moment later."""

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
    """Answers every second read of a record with the first that it ever saw of it."""

    def __init__(self, inner: Port, pause: Pause) -> None:
        super().__init__(inner, pause)
        self._cache: dict[Key, Record] = {}
        self._reads = 0

    def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        return self._read(request) if isinstance(request, Get) else super().ask(request)

    def _read(self, request: Get) -> dict[Key, Record]:
        """Read, or remember."""
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
    "repeats under a new name": RepeatsUnderANewName,
    "acknowledges too soon": AcknowledgesTooSoon,
    "commits in halves": CommitsInHalves,
    "reads from a cache": ReadsFromACache,
}
"""The ways to be broken."""


@dataclass(slots=True)
class MutantBackend:
    """A backend whose blocking ports are broken in one way."""

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
    """Break a backend in the way that :data:`DEFECTS` names."""
    return MutantBackend(backend, DEFECTS[defect])
