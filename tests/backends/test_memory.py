"""The memory backend, in both modes."""

from __future__ import annotations

from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.damaging import OTHER, TARGET, Damage
from emco_store.contracts.suite import ONE_STEP, Conformance, Harness
from emco_store.core.records import Record


def damage(backend: MemoryBackend, namespace: str, record: Record, what: Damage) -> bool:
    """Remove or add an entry of an index."""
    text, kind = record.key.text, record.key.kind
    with backend.request(namespace, "damage", what) as space:
        if what is Damage.LOST_REFERRER:
            space.referrers[TARGET.text].discard(text)
        elif what is Damage.STRAY_REFERRER:
            space.referrers[OTHER.text].add(text)
        elif what is Damage.LOST_INDEX:
            space.index[kind, "rank"].remove(("1", text))
        elif what is Damage.STRAY_INDEX:
            space.index[kind, "rank"].add(("2", text))
        elif what is Damage.LOST_UNIQUE:
            del space.unique[kind, "serial", "s"]
        else:
            space.unique[kind, "serial", "o"] = record.key
    return True


class TestMemory(Conformance):
    """Every rule of the contract, but for what takes several steps."""

    harness = Harness("memory", MemoryBackend, gaps=(ONE_STEP,), damage=damage)
