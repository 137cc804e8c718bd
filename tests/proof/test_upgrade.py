"""Five releases of one service take over from each other under load, and back: the quick form of ``proof.upgrade``."""

from __future__ import annotations

import pytest

from emco_store import MemoryBackend
from proof.upgrade import PHASES, threads, upgrade


@pytest.mark.parametrize(("kept_in", "steps"), [("memory", 12), ("file", 2)])
def test_rolling_upgrade_and_back_loses_nothing(kept_in, steps, tmp_path):
    """MIG-1 to MIG-4: Nothing is lost, nor unreadable to the release before, until a program uses what is new."""
    target = MemoryBackend() if kept_in == "memory" else f"sqlite:///{tmp_path / 'ships.db'}"
    said: list[str] = []

    whole = upgrade(target, "upgrade", steps, executor=threads, say=said.append)

    assert len(PHASES) == len(said)
    assert whole.steps.total() > 0
