"""All variants, by what they are variants of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.damaging import damage_memory
from proof.variants import etcd, key_value, memory_leases, memory_reads, memory_writes
from proof.variants.broken import Variant


@dataclass(frozen=True, slots=True)
class Family:
    """Variants of one backend.

    Attributes:
        sound: Those that must pass: the backend as it is, and ways to be unusual that are right.
        broken: Those that must be caught.
    """

    sound: Sequence[Variant]
    broken: Sequence[Variant]


FAMILIES: Final[Mapping[str, Family]] = {
    "memory": Family(
        (Variant("(as it is)", "The backend of which these are variants.", MemoryBackend, damage=damage_memory),),
        (*memory_reads.BROKEN, *memory_writes.BROKEN, *memory_leases.BROKEN),
    ),
    "key-value": Family(key_value.SOUND, key_value.BROKEN),
    "etcd": Family(etcd.SOUND, etcd.BROKEN),
}
