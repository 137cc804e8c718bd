"""What can go wrong with the entries that a backend keeps beside its records."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from emco_store.core.keys import Key

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
