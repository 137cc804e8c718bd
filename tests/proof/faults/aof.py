"""The append-only file of Redis, cut off at any byte of its last commit: that commit is there whole, or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from emco_store import Outcome, Store, connect
from emco_store.backends.redis.backend import RedisBackend
from emco_store.connect import TimeOrderedIds
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from proof.models import Follower, Hub, Spoke, Watcher
from proof.nemesis import seeded
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig
from proof.running import MODELS, check_store
from tests.servers.redis_nodes import Node, own_redis

OPTIONS: Final = ("--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes")
_NAMESPACE: Final = "cut"


class _Noted(TimeOrderedIds):
    """A source of ids that notes them."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def new(self) -> str:
        """See the base class."""
        self.given.append(super().new())
        return self.given[-1]


class LastCommit:
    """A server with some commits, and what its file holds before and after the last of them.

    The last one creates, replaces and deletes, and touches every index.

    Args:
        node: The server; empty.

    Attributes:
        first: Where in the file the last commit begins.
        end: Where it ends.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ids = _Noted()
        with self._open() as store:
            for name in ("a", "b"):
                store.create(Hub(name=name))
            store.create(Spoke(name="old", parent="Hub/a", code="x"))
            store.create(Watcher(name="w", to=Ref("Hub/a"), among=[Ref("Hub/b")]))
            self._path = _growing(node.folder)
            self._before = _state(store)
            self.first = self._path.stat().st_size
            self._ids.given.clear()
            with store.transaction() as tx:
                tx.delete(Spoke(name="old", parent="Hub/a").key)
                tx.create(Spoke(name="new", parent="Hub/a", code="x"))
                tx.create(Follower(name="f", to=Ref("Hub/b")))
                tx.update(tx.get(Watcher, "w").model_copy(update={"to": Ref("Hub/b"), "among": [Ref("Hub/a")]}))
            self._begun = tuple(self._ids.given)  # one of them is the txid
            self._whole = self._path.read_bytes()  # reads add to it, too, on Redis 6.2
            self._after = _state(store)
        node.kill()
        self.end = len(self._whole)

    def cut_at(self, end: int) -> tuple[bool, list[str]]:
        """Start the server with so much of its file; tell whether the last commit is there, and what must not be."""
        self._path.write_bytes(self._whole[:end])
        self._node.start()
        try:
            with self._open() as store:
                found = _state(store)
                committed = [txid for txid in self._begun if store.resolve(txid) is Outcome.COMMITTED]
            problems = [str(flaw) for flaw in check_store(self._rig, _NAMESPACE)[1]]
        finally:
            self._node.kill()
        is_there = found == self._after
        if not is_there and found != self._before:
            problems.append(f"a part of it is there: {found}")
        if len(committed) != is_there:
            problems.append(f"it is {'' if is_there else 'not '}there, and resolve knows {len(committed)} commits")
        return is_there, problems

    @property
    def _rig(self) -> Rig:
        return Rig("redis", RedisBackend(self._node.url), self._node.url)

    def _open(self) -> Store:
        return connect(self._node.url, namespace=_NAMESPACE, models=MODELS, require="local-sync", ids=self._ids)


def _growing(folder: Path) -> Path:
    """Return the file that commits are appended to; from Redis 7.0 on, one of several in a folder."""
    return next(iter((*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof"))))


def _state(store: Store) -> dict[str, Any]:
    kinds: Sequence[type[Resource]] = (Hub, Spoke, Watcher, Follower)
    return {found.key.text: found for kind in kinds for found in store.list(kind)}


@contextmanager
def last_commit(binary: str | None = None) -> Iterator[LastCommit]:
    """Run a server of its own, and make the commits."""
    with own_redis(*OPTIONS, binary=binary) as node:
        yield LastCommit(node)


def cut_files(
    rig: Rig,
    budget: Budget,
    *,
    seed: int,
    out: Path,  # noqa: ARG001 - see Run
    binary: str | None = None,
) -> PhaseResult:
    """Cut the file at every byte of the last commit, or at as many as the budget allows, and restart the server."""
    result = PhaseResult("append-only file cut", rig.name, seed)
    with last_commit(binary) as last:
        result.add(bytes=last.end - last.first)
        begun = time.monotonic()
        for at, end in enumerate(_ends(last, seeded("cuts", seed))):
            if at >= 2 and (at == budget.operations or _is_over(budget, begun)):
                result.notes.append(f"{at} of {last.end - last.first + 1} cuts were made, drawn by the seed")
                break
            is_there, problems = last.cut_at(end)
            result.add(cuts=1, whole=is_there, absent=not is_there)
            result.violated([f"cut at byte {end - last.first}: {text}" for text in problems])
            if is_there != (end == last.end):
                result.violated([f"cut at byte {end - last.first}: the commit is {'' if is_there else 'not '}there"])
    return result


def _is_over(budget: Budget, begun: float) -> bool:
    return budget.seconds is not None and time.monotonic() - begun > budget.seconds


def _ends(last: LastCommit, random: Random) -> list[int]:
    """Return every place to cut at: first where all of it and nothing of it is left, then others at random."""
    between = list(range(last.first + 1, last.end))
    random.shuffle(between)
    return [last.end, last.first, *between]


PHASE: Final = Phase(
    "append-only file cut",
    "After the file was cut off at any byte of the last commit, that commit is there whole or not at all.",
    ("redis",),
    cut_files,
    0.5,
)
