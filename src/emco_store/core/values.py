"""``value``: a dataclass for what is made on every call, frozen as far as type checkers look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

__all__ = ["Nothing", "value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:

    def value(*, frozen, slots):  # noqa: ANN001, ANN201 - see the import above
        """Make a class a dataclass that compares and hashes as a frozen one does.

        The constructor of a frozen one calls a function for each field, which takes five times as long.
        """
        return dataclass(slots=slots, unsafe_hash=frozen)


class Nothing(dict[Any, Any]):
    """An empty mapping that many values share as a default, so that a part which is not there costs nothing."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # a dataclass takes no default that is not hashable
