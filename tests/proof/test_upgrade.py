"""Five releases of one service take over from each other under load, and back: the quick form of ``proof.upgrade``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from emco_store import MemoryBackend
from proof.upgrade import CLIENTS, PHASES, upgrade


def test_rolling_upgrade_and_back_loses_nothing():
    """MIG-1 to MIG-4: Nothing is lost, nor unreadable to the release before, until a program uses what is new."""
    said: list[str] = []

    whole = upgrade(
        MemoryBackend(), "upgrade", 12, executor=partial(ThreadPoolExecutor, CLIENTS), say=said.append
    )  # fmt: skip

    assert len(PHASES) == len(said)
    assert whole.steps.total() > 0
