"""``value``: a dataclass for what is made on every call, frozen as far as type checkers look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen, slots):  # noqa: ANN001, ANN201 - see the import above
        """Make a class a dataclass that compares and hashes as a frozen one does.

        The constructor of a frozen one calls a function for each field, which takes five times as long.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)
