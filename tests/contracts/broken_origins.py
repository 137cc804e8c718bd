# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Stores and backends that get origins wrong, each in one way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from emco_store.backends.memory import MemoryPort
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.records import Record
from emco_store.flows import acting
from emco_store.flows.acting import Actors
from emco_store.ports import Commit, Get, Receipt, Refusal


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
