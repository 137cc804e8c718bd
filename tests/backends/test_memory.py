"""The memory backend, in both modes."""

from __future__ import annotations

from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.damaging import damage_memory
from emco_store.contracts.suite import ONE_STEP, Conformance, Harness


class TestMemory(Conformance):
    """Every rule of the contract, but for what takes several steps."""

    harness = Harness("memory", MemoryBackend, gaps=(ONE_STEP,), damage=damage_memory)
