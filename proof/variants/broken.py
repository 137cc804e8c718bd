"""What broken variants are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.keyvalue.ordered_map import OrderedMap
from emco_store.backends.memory import MemoryBackend, MemoryPort
from emco_store.backends.spaces import Space
from emco_store.contracts.damaging import Damage, damage_memory
from emco_store.contracts.harness import Mode
from emco_store.contracts.pauses import Pauses
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Backend


@dataclass(frozen=True, slots=True)
class Variant:
    """One broken backend.

    Attributes:
        name: Its name.
        what: What is wrong with it, in one sentence.
        backend: Makes it.
        mode: How it is used.
        inside: See :class:`emco_store.contracts.harness.Harness`; None where each request is one step.
        damage: See there, too.
        rows: Makes the ordered map that it stands on, if it does; each call makes one with entries of its own.
    """

    name: str
    what: str
    backend: Callable[[], Backend]
    mode: Mode = Mode.BLOCKING
    inside: Callable[[Any, Pauses], AbstractContextManager[Backend]] | None = None
    damage: Callable[[Any, str, Record, Damage], bool] | None = None
    rows: Callable[[], OrderedMap] | None = None


def named(part: type, backend: Callable[[], Backend]) -> Variant:
    """Build the variant of a broken part, which has its name and its sentence."""
    return Variant(part.__name__, (part.__doc__ or "").partition("\n")[0], backend)


def _of_memory(part: type, backend: Callable[[], Backend]) -> Variant:
    return replace(named(part, backend), damage=damage_memory)


class Broken(MemoryBackend):
    """A memory backend with another port, or other indexes."""

    port_type: type[MemoryPort] = MemoryPort
    space_type: type[Space] = Space

    def __init__(self) -> None:
        super().__init__()
        self._spaces = defaultdict(self.space_type)

    def port(self, namespace: str) -> MemoryPort:
        """Open one namespace."""
        return self.port_type(self, namespace)

    def async_port(self, namespace: str) -> ImmediatePort:
        """Open one namespace for asyncio."""
        return ImmediatePort(self.port(namespace))

    def space(self, namespace: str) -> Space:
        """Return the data of a namespace."""
        return self._spaces[namespace]

    def forget(self, namespace: str) -> None:
        """Throw away the data of a namespace."""
        self._spaces.pop(namespace, None)


class BrokenPort(MemoryPort):
    """A port that may reach into its data."""

    def __init__(self, backend: Broken, namespace: str) -> None:
        super().__init__(backend, namespace)
        self.broken = backend

    @property
    def space(self) -> Space:
        """The data."""
        return self.broken.space(self._namespace)


class Reshaped(Space):
    """Indexes records by something else than what they have; the records themselves stay as they are."""

    def entered(self, record: Record) -> Record:
        """Return the record by whose values the indexes find this one."""
        raise NotImplementedError

    def add(self, record: Record) -> None:
        """Add a record."""
        super().add(self.entered(record))
        self.records[record.key.text] = record

    def drop(self, key: Key) -> None:
        """Remove a record."""
        record = self.records.get(key.text)
        if record is not None:
            self.records[key.text] = self.entered(record)
        super().drop(key)


def of_port(port: type[MemoryPort]) -> Variant:
    """Build a variant with a broken port."""
    return _of_memory(port, type("Broken", (Broken,), {"port_type": port}))


def of_space(space: type[Space]) -> Variant:
    """Build a variant with broken indexes."""
    return _of_memory(space, type("Broken", (Broken,), {"space_type": space}))


def of_backend(backend: type[Broken]) -> Variant:
    """Build a variant that is a whole backend."""
    return _of_memory(backend, backend)
