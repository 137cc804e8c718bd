"""The items: each prepares its data and names its contenders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from benchmarks.bench import Bench
from benchmarks.measure import Contender

MODULES = (
    "one_client",
    "kept",
    "fire",
    "cascades",
    "tasks",
    "processes",
    "redis",
    "local",
    "lifecycles",
    "leases",
    "feed",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is measured.

    Attributes:
        name: What ``--only`` takes.
        title: What the tables say.
        needs: Servers that must run.
        contenders: Prepares everything and gives the contenders.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    contenders: Callable[[Bench], Iterator[Contender]]


def every_item() -> list[Item]:
    """Return all items, in the order of the tables."""
    return [item for module in MODULES for item in import_module(f"benchmarks.items.{module}").ITEMS]
