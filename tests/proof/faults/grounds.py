"""Servers that may be struck at, the ways to strike at them, and the class of what they acknowledge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from emco_store.ports import Backend, Durability
from proof.rig import Rig
from tests.proof.faults.striking import Strike


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to strike.

    Attributes:
        strike: What it does.
        rig: Where the clients are.
        clients: Gives their backend, where it is not that of the rig.
        is_missed: Whether every second reader of the feed stands still while it strikes.
    """

    strike: Strike
    rig: Rig
    clients: Callable[[], Backend] | None = None
    is_missed: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers of a proof's own.

    Attributes:
        durability: The class that a store must report here; nothing that was acknowledged in it may be lost.
        faults: The ways to strike, by name.
        tasks: Whether clients can be tasks, too.
        only_reads: Whether transactions that only read are judged, too. Where commits wait for replicas, such a
            transaction may see what no replica has yet, and what a failover takes away: nobody had acknowledged it.
        gaps: Whether readers of the feed may be told of gaps, for the same reason.
    """

    durability: Durability
    faults: Mapping[str, Fault]
    tasks: bool = True
    only_reads: bool = True
    gaps: bool = False


def pause(random: Random, longest_s: float) -> None:
    """Let a fault last for some time, drawn by chance."""
    threading.Event().wait(random.uniform(0, longest_s))
