# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends that count what they should not."""

from __future__ import annotations

from dataclasses import replace

from emco_store.backends.memory import MemoryPort
from emco_store.ports import Count


class CountsTheWholeKind(MemoryPort):
    """Counts everything that has the indexed value, wherever it lies."""

    def count(self, count: Count) -> int:
        return super().count(replace(count, scan=replace(count.scan, prefix=f"{count.scan.kind}/")))


class CountsWhatLiesBeyond(MemoryPort):
    """Takes no notice of the text below which a range ends."""

    def count(self, count: Count) -> int:
        return super().count(replace(count, scan=replace(count.scan, below=None)))


BROKEN_COUNTS = ((CountsTheWholeKind, "ID-18"), (CountsWhatLiesBeyond, "ID-19"))
