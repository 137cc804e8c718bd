# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Stores and backends that get origins wrong, each in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from emco_store.backends.memory import MemoryPort
from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import resource_of
from emco_store.core.rules import Rule
from emco_store.core.trails import Write, entry_of
from emco_store.flows import acting
from emco_store.flows.acting import Actors
from emco_store.flows.asking import Flow
from emco_store.flows.outcomes import submit
from emco_store.flows.trailing import NONE, Entries, entries_of, leaves_trail
from emco_store.flows.view import View
from emco_store.ports import Commit, Get, Receipt, Refusal, Scan


class ForgetsOrigins(MemoryPort):
    """Stores no origin."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, puts=tuple(replace(record, origin=NOBODY) for record in commit.puts)))


class KeepsTheOldOrigin(MemoryPort):
    """Leaves the origin of the change before where a write has none, as a field that nobody unsets."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(record.key for record in commit.puts)))
        puts = tuple(
            record if any(record.origin) else replace(record, origin=found.get(record.key, record).origin)
            for record in commit.puts
        )
        return super().commit(replace(commit, puts=puts))


class SharedBlocks:
    """One list of blocks for all tasks and threads, where each should have its own."""

    def __init__(self) -> None:
        self._blocks: tuple[Any, ...] = ()

    def get(self) -> tuple[Any, ...]:
        return self._blocks

    def set(self, blocks: tuple[Any, ...]) -> None:
        self._blocks = blocks


def act_through_any_store(_: Actors) -> Origin:
    """Take the innermost block, whichever store it is of."""
    blocks = acting._blocks.get()
    return blocks[-1][1] if blocks else NOBODY


def write_as_planned(record: Record, txid: str, now_us: int, origin: Origin) -> Record:
    """Write a plan as whoever made it, when it was made."""
    del txid, now_us, origin
    return record


def commit_entries_apart(view: View, *, txid: str, now_us: int, origin: Origin) -> Flow[Entries]:
    """Write the entries of trails in a commit of their own."""
    found = yield from entries_of(view, txid=txid, now_us=now_us, origin=origin)
    yield from submit(Commit(f"{txid}-trail", puts=found.puts, deletes=found.deletes))
    return NONE


def tie_entry_to_its_resource(write: Write, **options: Any) -> Record:
    """Let an entry refer to its resource, so that it goes with that."""
    entry = entry_of(write, **options)
    edge = Edge(resource_of(entry.key, 2), ("resource",), Rule.CASCADE)
    return replace(entry, edges=() if write.after is None else (edge,))


def look_at_models_only(view: View) -> bool:
    """Leave no entry where the model is not known."""
    keys = [*view.puts, *view.gone]
    return leaves_trail(view) and all(view.context.schema.model_of(key.kind) for key in keys)


def let_nothing_expire(_: Write) -> Iterator[Key]:
    """Keep every entry for ever."""
    return iter(())


def let_all_be_old(*_: object) -> timedelta:
    """Call every entry old."""
    return timedelta(0)


def read_the_oldest_first(*args: Any, **options: Any) -> Scan:
    """Read a trail from its beginning."""
    return Scan(*args, **{**options, "descending": False})
