"""What a backend that holds several namespaces can say of them, for ``emco-store namespaces``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Divided(Protocol):
    """A backend that can name its namespaces and end one; errors are those of a port."""

    def namespaces(self) -> Sequence[str]:
        """Return the names of the namespaces that hold anything, in order."""
        ...

    def drop(self, namespace: str) -> None:
        """Take away everything that a namespace holds: its records in one step, then what is left of past commits."""
        ...
