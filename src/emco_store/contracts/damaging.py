"""What can go wrong with the entries that a backend keeps beside its records."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from emco_store.backends.memory import MemoryBackend
from emco_store.core.keys import Key
from emco_store.core.records import Record

TARGET: Final = Key("Site", "t")
"""What the record refers to."""
OTHER: Final = Key("Site", "u")
"""What it does not refer to."""


class Damage(StrEnum):
    """What somebody does to the entries of the record ``Item/a``, beside the record itself.

    It refers to :data:`TARGET`, its unique ``serial`` is ``s``, and its indexed ``rank`` is ``1``.
    """

    LOST_REFERRER = "lost-referrer"
    """The entry is gone by which it is found as a referrer."""
    STRAY_REFERRER = "stray-referrer"
    """An entry says that it refers to :data:`OTHER`."""
    LOST_INDEX = "lost-index"
    """The entry of its rank is gone."""
    STRAY_INDEX = "stray-index"
    """An entry says that its rank is ``2`` too."""
    LOST_UNIQUE = "lost-unique"
    """The entry of its serial is gone."""
    STRAY_UNIQUE = "stray-unique"
    """An entry says that its serial is ``o`` too."""


def damage_memory(backend: MemoryBackend, namespace: str, record: Record, what: Damage) -> bool:
    """Remove or add an entry of an index of the memory backend; for ``damage`` of a harness."""
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
